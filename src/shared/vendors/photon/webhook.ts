import { z } from "zod";
import type { Hint } from "../hints.ts";
import { isSigned, toHex } from "../signing.ts";
import { readJson, UnreadableEvent, type WebhookConnector } from "../webhook.ts";
import { eventState } from "./states.ts";

const SAFE_TYPE = /^[a-z0-9_.\-]{1,100}$/;
const SAFE_SUBJECT = /^[A-Za-z0-9_:.\-]{1,100}$/;

const id = z.string().min(1).max(255);

/** The fields that are kept. Pharmacy, fills, instructions, notes and reason are never read. */
const data = z.object({
  id: id.nullish(),
  externalId: id.nullish(),
  patient: z.object({ id: id.nullish() }).nullish(),
  fulfillment: z.object({ state: z.string().nullish() }).nullish(),
});

const event = z.object({
  id,
  type: z.string(),
  subject: z.string().nullish(),
  // A hint for ordering only: an event without a readable time is still an event.
  time: z.iso.datetime({ offset: true }).nullable().catch(null),
  data: data.nullish(),
});
type PhotonEvent = z.output<typeof event>;

/** Photon says "batch" in the content type but sends one object; a list of one is read the same way. */
const body = z.union([event, z.tuple([event]).transform(([only]) => only)]);

/**
 * Photon Health's webhooks: CloudEvents JSON, `X-Photon-Signature` = hex HMAC-SHA256(secret, raw body).
 * `X-Photon-Timestamp` is not signed, so it is ignored: there is no replay window, and the event id is the
 * replay guard. A 4xx makes Photon lose an event for good, hence 200 for an unreadable one.
 * Source: Photon docs, network/webhooks and network/webhooks/events.
 */
export const photonWebhook: WebhookConnector<Hint<"pharmacy">> = {
  source: "pharmacy",
  unreadableStatus: 200,

  async verify({ body, headers }, secrets) {
    const signature = headers.get("x-photon-signature")?.trim().toLowerCase() ?? "";
    return await isSigned([signature], secrets, toHex, body);
  },

  read(webhook) {
    const photonEvent = readJson(webhook.body, body);
    const type = eventType(photonEvent.type);
    return { id: photonEvent.id, type, attributes: attributesOf(type, photonEvent) };
  },
};

/** `photon:order:placed` becomes `order.placed`; a type without `photon:` keeps its first word. */
function eventType(wire: string): string {
  const type = wire.toLowerCase().replace(/^photon:/, "").replaceAll(":", ".");
  if (!SAFE_TYPE.test(type)) throw new UnreadableEvent("not a type of event");
  return type;
}

function attributesOf(type: string, photonEvent: PhotonEvent): Hint<"pharmacy"> {
  const { subject, time, data } = photonEvent;
  const common = {
    reference: data?.externalId ?? null,
    patient_id: data?.patient?.id ?? null,
    time,
  };
  if (type.startsWith("order.")) {
    const state = eventState(type, data?.fulfillment?.state ?? null);
    return { order_id: subjectId(photonEvent), ...common, state };
  }
  if (type.startsWith("prescription.")) return { prescription_id: subjectId(photonEvent), ...common };
  return { subject: subject && SAFE_SUBJECT.test(subject) ? subject : null, time };
}

/** The id of the event's order or prescription; CloudEvents repeats it as the subject. */
function subjectId({ data, subject }: PhotonEvent): string {
  const found = data?.id ?? subject;
  if (!found) throw new UnreadableEvent("no id of an order or a prescription");
  return found;
}
