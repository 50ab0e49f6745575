import { Hono, type MiddlewareHandler } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { z } from "zod";
import type { Json } from "../../../src/shared/vendors/contract.ts";
import { hmacSha256, toHex } from "../../../src/shared/vendors/signing.ts";
import { Faults, withFaults } from "./faults.ts";
import { Outbox } from "./outbox.ts";
import { randomId, type Sandbox, type SandboxDeps, ulid } from "./server.ts";

/** What the sandbox lets in. */
export const CUSTOMERIO_SANDBOX_KEYS = { siteId: "sandbox-site", apiKey: "sandbox-key" } as const;

/** An older event is stored and starts no campaign. */
const CAMPAIGN_WINDOW_SECONDS = 72 * 60 * 60;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export interface SandboxPerson {
  id: string;
  cioId: string;
  /** Each attribute with the time (s) it was last written. */
  attributes: Map<string, { value: Json; at: number }>;
}

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
  /** Somebody edits the profile inside Customer.io: our campaign's webhook action. Throws for an unknown person. */
  editProfile(personId: string, edit: { email?: string; phone?: string }): void;
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

/** Customer.io on loopback: Track API v1 and v2, reporting webhooks, and the webhook action of our campaign. */
export function makeCustomerioSandbox(deps: SandboxDeps): CustomerioSandbox {
  const faults = new Faults(deps.random);
  const outbox = new Outbox(
    { url: deps.webhook.url, fetch: deps.fetch, now: deps.now, random: deps.random },
    { headOfLine: true, givesUpOn: () => false },
  );
  const people = new Map<string, SandboxPerson>();
  const suppressed = new Set<string>();
  const receipts: SandboxReceipt[] = [];
  const events: SandboxEvent[] = [];
  const eventIds = new Set<string>();
  const seconds = () => Math.floor(deps.now().getTime() / 1000);

  function send(id: string, message: Record<string, Json>): void {
    const body = JSON.stringify(message);
    outbox.push({
      id,
      async sign(now) {
        const timestamp = String(Math.floor(now.getTime() / 1000));
        const signature = toHex(await hmacSha256(deps.webhook.secret, `v0:${timestamp}:${body}`));
        return {
          body,
          headers: {
            "content-type": "application/json",
            "x-cio-timestamp": timestamp,
            "x-cio-signature": signature,
          },
        };
      },
    });
  }

  function create(id: string): SandboxPerson {
    const person = { id, cioId: randomId(deps.random, "", 12, "0123456789abcdef"), attributes: new Map() };
    people.set(id, person);
    return person;
  }

  /** Each attribute's later time wins; an empty value removes it. Tells whether email or phone came out different. */
  function write(person: SandboxPerson, values: Record<string, Json>, at: number): boolean {
    const before = [text(person, "email"), text(person, "phone")].join();
    for (const [name, value] of Object.entries(values)) {
      if (at >= (person.attributes.get(name)?.at ?? 0)) person.attributes.set(name, { value, at });
    }
    return [text(person, "email"), text(person, "phone")].join() !== before;
  }

  function identify(id: string, { _timestamp, _update, ...values }: Record<string, Json>): void {
    if (suppressed.has(id)) return;
    const known = people.get(id);
    if (!known && _update === true) return;
    const at = typeof _timestamp === "number" ? _timestamp : seconds();
    const changed = write(known ?? create(id), values, at);
    // The campaign cannot tell who wrote: our own update sets it off, too.
    if (known && changed) sendProfile(known);
  }

  function sendProfile(person: SandboxPerson): void {
    const id = `7-${person.cioId}-${ulid(deps.now(), deps.random)}`;
    send(id, {
      event_id: id,
      type: "profile.changed",
      cio_id: person.cioId,
      external_id: person.id,
      email: text(person, "email"),
      phone: text(person, "phone"),
    });
  }

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
    const outcome = suppressed.has(personId)
      ? "suppressed"
      : stored.id !== null && eventIds.has(stored.id)
      ? "duplicate"
      : "stored";
    receipts.push({ ...stored, outcome });
    if (outcome !== "stored") return;
    if (!people.has(personId)) create(personId);
    if (stored.id !== null) eventIds.add(stored.id);
    events.push(stored);
  }

  function act(id: string, action: "delete" | "suppress" | "unsuppress"): void {
    if (action === "suppress") suppressed.add(id);
    if (action === "unsuppress") suppressed.delete(id);
    else people.delete(id);
  }

  function get(personId: string): SandboxPerson {
    const person = people.get(personId);
    if (!person) throw new Error(`the CRM sandbox has no person ${personId}`);
    return person;
  }

  /** The path's person: our id, or `cio_` and Customer.io's. */
  function personIn(c: Context): string {
    const id = c.req.param("id") ?? "";
    if (!id.startsWith("cio_")) return id;
    const byCioId = [...people.values()].find(({ cioId }) => `cio_${cioId}` === id);
    return byCioId?.id ?? id;
  }

  const app = new Hono<{ Bindings: HttpBindings }>();
  const route = (operation: string) => [withFaults(faults, operation), checkKeys] as const;

  app.put("/api/v1/customers/:id", ...route("update person"), async (c) => {
    const body = attributes.safeParse(await readBody(c));
    if (!body.success) return invalid(c);
    identify(personIn(c), body.data);
    return c.json({});
  });
  app.post("/api/v1/customers/:id/events", ...route("send event"), async (c) => {
    const body = eventBody.safeParse(await readBody(c));
    if (!body.success) return invalid(c);
    track(personIn(c), body.data);
    return c.json({});
  });
  app.delete("/api/v1/customers/:id", ...route("delete person"), (c) => {
    act(personIn(c), "delete");
    return c.json({});
  });
  app.post("/api/v1/customers/:id/suppress", ...route("suppress person"), (c) => {
    act(personIn(c), "suppress");
    return c.json({});
  });
  app.post("/api/v1/customers/:id/unsuppress", ...route("unsuppress person"), (c) => {
    act(personIn(c), "unsuppress");
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
      if (item.data.action === "identify") identify(id, item.data.attributes);
      else if (item.data.action === "event") track(id, { ...item.data, data: item.data.attributes });
      else act(id, item.data.action);
    });
    return errors.length > 0 ? c.json({ errors }, 207) : c.json({});
  });
  // As Customer.io can: a path it does not know is answered as if all were well.
  app.notFound((c) => c.json({}));

  return {
    app,
    faults,
    outbox,
    people,
    suppressed,
    receipts,
    events,
    heard: (personId) => events.filter((event) => event.personId === personId),
    unsubscribe(personId) {
      const person = get(personId);
      write(person, { unsubscribed: true }, seconds());
      const id = ulid(deps.now(), deps.random);
      const email = text(person, "email");
      send(id, {
        metric: "unsubscribed",
        event_id: id,
        object_type: "customer",
        timestamp: seconds(),
        data: {
          customer_id: personId,
          email_address: email,
          identifiers: { id: personId, email, cio_id: person.cioId },
        },
      });
    },
    editProfile(personId, edit) {
      const person = get(personId);
      if (write(person, { ...edit }, seconds())) sendProfile(person);
    },
  };
}

/** An attribute as Liquid renders it: a missing one is empty. */
function text(person: SandboxPerson, name: string): string {
  const value = person.attributes.get(name)?.value ?? "";
  return typeof value === "string" ? value : JSON.stringify(value);
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
