import { Hono, type MiddlewareHandler } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { z } from "zod";
import type { Json } from "../../src/shared/vendors/contract.ts";
import { addAppApi } from "./customerio/app-api.ts";
import { makeHooks } from "./customerio/hooks.ts";
import { People, type SandboxPerson } from "./customerio/people.ts";
import { Faults, withFaults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import type { Sandbox, SandboxDeps } from "./server.ts";

/** What the sandbox lets in: the first two at the Track API, the last one at the App API. */
export const CUSTOMERIO_SANDBOX_KEYS = {
  siteId: "sandbox-site",
  apiKey: "sandbox-key",
  appApiKey: "sandbox-app-key",
} as const;

/** An older event is stored and starts no campaign. */
const CAMPAIGN_WINDOW_SECONDS = 72 * 60 * 60;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export interface SandboxEvent {
  personId: string;
  name: string;
  id: string | null;
  /** Seconds. */
  timestamp: number;
  data: Record<string, Json>;
  /** False when it was over 72 h old: stored, but no campaign started. */
  started: boolean;
}

export interface SandboxReceipt extends SandboxEvent {
  outcome: "stored" | "duplicate" | "suppressed";
}

export interface CustomerioSandbox extends Sandbox {
  people: Map<string, SandboxPerson>;
  suppressed: Set<string>;
  /** Every event that was taken, the ignored ones too. */
  receipts: SandboxReceipt[];
  /** Events that count, in order of arrival. */
  events: SandboxEvent[];
  heard(personId: string): SandboxEvent[];
  /** The person clicks "unsubscribe": a reporting webhook. Throws for an unknown person. */
  unsubscribe(personId: string): void;
  /** How many API calls wrote attributes of this person, with or without an effect. */
  writes(personId: string): number;
  /** Somebody adds a person inside Customer.io. Throws where there is one. */
  createPerson(personId: string, contact: { email: string; phone: string }): void;
  /** Somebody who was there before anybody listened, with any attributes. No webhook; cheap enough for a hundred thousand. */
  importPerson(personId: string, attributes: Record<string, Json>): void;
  /** Somebody edits the profile inside Customer.io: our campaign's webhook action. Throws for an unknown person. */
  changeProfile(personId: string, edit: { email?: string; phone?: string }): void;
  /** Somebody merges two people: `into` takes what it lacks, `from` is gone. Throws for an unknown person. */
  mergePeople(from: string, into: string): void;
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

type Context = Parameters<MiddlewareHandler<{ Bindings: HttpBindings }>>[0];

/**
 * Customer.io on loopback: Track API v1 and v2, the App API's reading of people, reporting webhooks, and the webhook
 * action of our campaign.
 */
export function makeCustomerioSandbox(deps: SandboxDeps): CustomerioSandbox {
  const faults = new Faults(deps.random);
  const outbox = new Outbox(
    { url: deps.webhook.url, fetch: deps.fetch, now: deps.now, random: deps.random },
    { headOfLine: true, givesUpOn: () => false },
  );
  const receipts: SandboxReceipt[] = [];
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

  const app = new Hono<{ Bindings: HttpBindings }>();
  const route = (operation: string) => [withFaults(faults, operation), checkKeys] as const;

  app.put("/api/v1/customers/:id", ...route("update person"), async (c) => {
    const body = attributes.safeParse(await readBody(c));
    if (!body.success) return invalid(c);
    people.identify(personIn(c), body.data);
    return c.json({});
  });
  app.post("/api/v1/customers/:id/events", ...route("send event"), async (c) => {
    const body = eventBody.safeParse(await readBody(c));
    if (!body.success) return invalid(c);
    track(personIn(c), body.data);
    return c.json({});
  });
  app.delete("/api/v1/customers/:id", ...route("delete person"), (c) => {
    people.act(personIn(c), "delete");
    return c.json({});
  });
  app.post("/api/v1/customers/:id/suppress", ...route("suppress person"), (c) => {
    people.act(personIn(c), "suppress");
    return c.json({});
  });
  app.post("/api/v1/customers/:id/unsuppress", ...route("unsuppress person"), (c) => {
    people.act(personIn(c), "unsuppress");
    return c.json({});
  });
  app.post("/api/v2/batch", ...route("batch"), async (c) => {
    const body = batchBody.safeParse(await readBody(c));
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
  // As Customer.io can: a path it does not know is answered as if all were well.
  app.notFound((c) => c.json({}));

  return {
    app,
    faults,
    outbox,
    people: people.byId,
    suppressed: people.suppressed,
    receipts,
    events,
    heard: (personId) => events.filter((event) => event.personId === personId),
    unsubscribe(personId) {
      const person = people.get(personId);
      people.write(person, { unsubscribed: true });
      hooks.unsubscribed(person);
    },
    writes: (personId) => people.writes(personId),
    createPerson(personId, contact) {
      if (people.byId.has(personId)) throw new Error(`the CRM sandbox has a person ${personId} already`);
      people.write(people.create(personId), { ...contact });
    },
    importPerson: (personId, values) => people.write(people.create(personId), values),
    changeProfile: (personId, edit) => people.change(people.get(personId), { ...edit }),
    mergePeople: (from, into) => people.merge(from, into),
  };
}

const checkKeys: MiddlewareHandler<{ Bindings: HttpBindings }> = async (c, next) => {
  const { siteId, apiKey } = CUSTOMERIO_SANDBOX_KEYS;
  if (c.req.header("authorization") !== `Basic ${btoa(`${siteId}:${apiKey}`)}`) {
    return c.json({ meta: { error: "unauthorized" } }, 401);
  }
  return await next();
};

async function readBody(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    return undefined;
  }
}

function invalid(c: Context): Response {
  return c.json({ meta: { error: "invalid request" } }, 400);
}
