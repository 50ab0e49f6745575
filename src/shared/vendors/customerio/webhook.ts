import { z } from "zod";
import type { Hint } from "../hints.ts";
import { isSigned, toHex } from "../signing.ts";
import { readJson, UnreadableEvent, type WebhookConnector } from "../webhook.ts";

/**
 * Customer.io tries for 7 days. Its documentation does not say whether a try has a new timestamp, so a narrower window
 * could refuse an event for ever. A day is added for clocks and a late last try.
 */
const OLDEST_SECONDS = 8 * 24 * 60 * 60;
/** A clock may run ahead; a timestamp further in the future is forged or broken. */
const AHEAD_SECONDS = 5 * 60;

const TYPE = /^[a-z0-9_.-]{1,100}$/;
const EVENT_ID = /^[\x21-\x7e]{1,256}$/;

/** Liquid renders a missing attribute as an empty string, and a number without quotes as a number. */
const key = z.union([z.string(), z.number().transform(String)]).nullish()
  .transform((value) => (value ? value : null));

/** A reporting webhook (docs.customer.io/api/webhooks). */
const reportingEvent = z.object({
  event_id: z.string(),
  object_type: z.string(),
  metric: z.string(),
  /** Seconds. An event without a usable time is still an event. */
  timestamp: z.number().min(0).max(1e11).nullish().catch(null),
  data: z.object({
    customer_id: key,
    identifiers: z.object({ id: key, cio_id: key }).nullish(),
  }).nullish(),
});

/**
 * The body of a campaign's webhook action, of our own making. It also carries email and phone.
 * They are not read here: steps read them at the CRM, their owner, when they need them.
 */
const ownEvent = z.object({
  event_id: z.string(),
  type: z.string(),
  cio_id: key,
  external_id: key,
});

const event = z.union([reportingEvent, ownEvent]);

/**
 * Customer.io's reporting webhooks and the webhook action of our own campaigns: signed the same way, with
 * two keys (both belong in `secrets`). Source: docs.customer.io/api/webhooks, customerio-node `lib/webhooks.ts`.
 *
 * Events: `<object_type>.<metric>` with `{ person_id, at, cio_id? }`, and `profile.changed` with
 * `{ person_id, cio_id }`. Never an email or a phone.
 */
export const customerioWebhook: WebhookConnector<Hint<"crm">> = {
  source: "crm",
  // Any error makes Customer.io keep back every later event until this one succeeds.
  unreadableStatus: 200,

  async verify({ body, headers }, secrets, now) {
    const timestamp = headers.get("x-cio-timestamp") ?? "";
    if (!/^\d{1,12}$/.test(timestamp)) return false;
    const ageSeconds = now.getTime() / 1000 - Number(timestamp);
    if (!(ageSeconds <= OLDEST_SECONDS && ageSeconds >= -AHEAD_SECONDS)) return false;
    const signature = (headers.get("x-cio-signature") ?? "").toLowerCase();
    return await isSigned([signature], secrets, toHex, `v0:${timestamp}:`, body);
  },

  read({ body }) {
    const parsed = readJson(body, event);
    if (!EVENT_ID.test(parsed.event_id)) throw new UnreadableEvent("no usable event id");
    const type = ("type" in parsed ? parsed.type : `${parsed.object_type}.${parsed.metric}`).toLowerCase();
    if (!TYPE.test(type)) throw new UnreadableEvent("no usable event type");
    return { id: parsed.event_id, type, attributes: attributesOf(parsed) };
  },
};

function attributesOf(parsed: z.output<typeof event>): Hint<"crm"> {
  if ("type" in parsed) return { person_id: parsed.external_id, cio_id: parsed.cio_id };
  const { timestamp, data } = parsed;
  const cioId = data?.identifiers?.cio_id ?? null;
  return {
    person_id: data?.identifiers?.id ?? data?.customer_id ?? null,
    at: typeof timestamp === "number" ? new Date(timestamp * 1000).toISOString() : null,
    ...(cioId === null ? {} : { cio_id: cioId }),
  };
}
