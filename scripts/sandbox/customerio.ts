import { type Context, Hono, type MiddlewareHandler } from "hono";
import { z } from "zod";
import type { Json } from "../../src/shared/vendors/contract.ts";
import { jsonBody } from "./app.ts";
import { addAppApi } from "./customerio/app-api.ts";
import { makeHooks } from "./customerio/hooks.ts";
import { People } from "./customerio/people.ts";
import { Faults, withFaults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import type { Sandbox, SandboxApp, SandboxDeps } from "./server.ts";

/** The keys that the sandbox takes: the first two at the Track API, the last one at the App API. */
export const CUSTOMERIO_SANDBOX_KEYS = {
  siteId: "sandbox-site",
  apiKey: "sandbox-key",
  appApiKey: "sandbox-app-key",
} as const;

/** An older event is stored and starts no campaign. */
const CAMPAIGN_WINDOW_SECONDS = 72 * 60 * 60;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

interface SandboxEvent {
  personId: string;
  name: string;
  id: string | null;
  /** Seconds. */
  timestamp: number;
  data: Record<string, Json>;
  /** False when it was over 72 h old: stored, but no campaign started. */
  started: boolean;
}

const attributes = z.record(z.string(), z.json());
const eventBody = z.object({
  name: z.string().trim().min(1),
  id: z.string().regex(ULID).nullish(),
  timestamp: z.number().int().nullish(),
  data: attributes.nullish(),
});
const batchItem = z.discriminatedUnion("action", [
  z.object({ action: z.literal("identify"), attributes: attributes.default({}) }),
  eventBody.omit({ data: true }).extend({ action: z.literal("event"), attributes: attributes.default({}) }),
  z.object({ action: z.enum(["delete", "suppress", "unsuppress"]) }),
]).and(z.object({ type: z.literal("person"), identifiers: z.object({ id: z.string().min(1) }) }));
const batchBody = z.object({ batch: z.array(z.unknown()).min(1) });

export type CustomerioSandbox = ReturnType<typeof makeCustomerioSandbox>;

/**
 * Customer.io on loopback: Track API v1 and v2, the App API's reading of people, reporting webhooks, and the webhook
 * action of our campaign. Actions on an unknown person throw.
 */
export function makeCustomerioSandbox(deps: SandboxDeps) {
  const faults = new Faults(deps.random);
  const outbox = new Outbox({ ...deps, url: deps.webhook.url }, { headOfLine: true });
  const receipts: (SandboxEvent & { outcome: "stored" | "duplicate" | "suppressed" })[] = [];
  const events: SandboxEvent[] = [];
  const eventIds = new Set<string>();
  const seconds = () => Math.floor(deps.now().getTime() / 1000);
  const hooks = makeHooks(deps, outbox);
  const people = new People({ random: deps.random, seconds, onContactChange: hooks.profileChanged });

  function track(personId: string, event: z.output<typeof eventBody>): void {
    const timestamp = event.timestamp ?? seconds();
    const stored: SandboxEvent = {
      personId,
      name: event.name,
      id: event.id ?? null,
      timestamp,
      data: event.data ?? {},
      started: seconds() - timestamp <= CAMPAIGN_WINDOW_SECONDS,
    };
    const outcome = people.suppressed.has(personId)
      ? "suppressed"
      : stored.id !== null && eventIds.has(stored.id)
      ? "duplicate"
      : "stored";
    receipts.push({ ...stored, outcome });
    if (outcome !== "stored") return;
    if (!people.byId.has(personId)) people.create(personId);
    if (stored.id !== null) eventIds.add(stored.id);
    events.push(stored);
  }

  const personIn = (c: Context) => people.idIn(c.req.param("id") ?? "");

  const app: SandboxApp = new Hono();
  const route = (operation: string) => [withFaults(faults, operation), checkKeys] as const;

  app.put("/api/v1/customers/:id", ...route("update person"), async (c) => {
    const body = attributes.safeParse(await jsonBody(c));
    if (!body.success) return invalid(c);
    people.identify(personIn(c), body.data);
    return c.json({});
  });
  app.post("/api/v1/customers/:id/events", ...route("send event"), async (c) => {
    const body = eventBody.safeParse(await jsonBody(c));
    if (!body.success) return invalid(c);
    track(personIn(c), body.data);
    return c.json({});
  });
  app.delete("/api/v1/customers/:id", ...route("delete person"), (c) => {
    people.act(personIn(c), "delete");
    return c.json({});
  });
  for (const action of ["suppress", "unsuppress"] as const) {
    app.post(`/api/v1/customers/:id/${action}`, ...route(`${action} person`), (c) => {
      people.act(personIn(c), action);
      return c.json({});
    });
  }
  app.post("/api/v2/batch", ...route("batch"), async (c) => {
    const body = batchBody.safeParse(await jsonBody(c));
    if (!body.success) return invalid(c);
    const errors: { batch_index: number; reason: string; message: string }[] = [];
    body.data.batch.forEach((given, batch_index) => {
      const item = batchItem.safeParse(given);
      if (!item.success) {
        errors.push({ batch_index, reason: "invalid", message: "not an item" });
        return;
      }
      const { id } = item.data.identifiers;
      if (item.data.action === "identify") people.identify(id, item.data.attributes);
      else if (item.data.action === "event") track(id, { ...item.data, data: item.data.attributes });
      else people.act(id, item.data.action);
    });
    return errors.length > 0 ? c.json({ errors }, 207) : c.json({});
  });
  addAppApi(app, { people, faults, key: CUSTOMERIO_SANDBOX_KEYS.appApiKey });
  // Customer.io can answer 200 on a path that it does not know.
  app.notFound((c) => c.json({}));

  return {
    app,
    faults,
    outbox,
    people: people.byId,
    suppressed: people.suppressed,
    /** Every event that came in, ignored ones included. */
    receipts,
    /** Events that count, in order of arrival. */
    events,
    heard: (personId: string) => events.filter((event) => event.personId === personId),
    /** The person clicks "unsubscribe": a reporting webhook. */
    unsubscribe(personId: string) {
      const person = people.get(personId);
      people.write(person, { unsubscribed: true });
      hooks.unsubscribed(person);
    },
    /** The number of API calls that wrote attributes of this person, with or without an effect. */
    writes: (personId: string) => people.writes(personId),
    /** Somebody adds a person inside Customer.io. Throws for an id in use. */
    createPerson(personId: string, contact: { email: string; phone: string }) {
      if (people.byId.has(personId)) throw new Error(`the CRM sandbox has a person ${personId} already`);
      people.write(people.create(personId), contact);
    },
    /** Adds an older person with any attributes. No webhook; cheap enough for a hundred thousand. */
    importPerson: (personId: string, values: Record<string, Json>) =>
      people.write(people.create(personId), values),
    /** Somebody edits the profile inside Customer.io: our campaign's webhook action. */
    changeProfile: (personId: string, edit: { email?: string; phone?: string }) =>
      people.change(people.get(personId), edit),
    /** Somebody merges two people: `into` takes the attributes that it lacks, `from` is gone. */
    mergePeople: (from: string, into: string) => people.merge(from, into),
  } satisfies Sandbox & Record<string, unknown>;
}

const checkKeys: MiddlewareHandler = async (c, next) => {
  const { siteId, apiKey } = CUSTOMERIO_SANDBOX_KEYS;
  if (c.req.header("authorization") !== `Basic ${btoa(`${siteId}:${apiKey}`)}`) {
    return c.json({ meta: { error: "unauthorized" } }, 401);
  }
  return await next();
};

function invalid(c: Context): Response {
  return c.json({ meta: { error: "invalid request" } }, 400);
}
