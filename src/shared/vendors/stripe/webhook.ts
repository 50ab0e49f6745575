import { z } from "zod";
import type { Hint } from "../hints.ts";
import { isSigned, toHex } from "../signing.ts";
import { readJson, type VendorEvent, type WebhookConnector } from "../webhook.ts";
import { ownId, readSnapshot, snapshotSchema } from "./snapshot.ts";

/** Stripe's own default. Each retry is signed anew, so an old timestamp is never a late retry. */
const TOLERANCE_SECONDS = 300;

/**
 * Stripe's webhooks, snapshot events and thin ones ("v2.core.event"), from either kind of event destination.
 * The snapshot and the thin event of one change get the same id and type, so that both destinations may be on while the
 * endpoint changes from one to the other. The SDK's own check signs the decoded text, and different bytes (a byte order
 * mark, broken UTF-8) decode to the same text; nor does it refuse a timestamp from the future.
 */
export const stripeWebhook: WebhookConnector<Hint<"stripe">> = {
  source: "stripe",
  unreadableStatus: 400,

  async verify({ body, headers }, secrets, now) {
    const fields = (headers.get("stripe-signature") ?? "").split(",").map((field) => field.split("="));
    const timestamp = fields.find(([name]) => name === "t")?.[1] ?? "";
    if (!/^\d{1,12}$/.test(timestamp)) return false;
    const ageSeconds = now.getTime() / 1000 - Number(timestamp);
    if (!(Math.floor(ageSeconds) <= TOLERANCE_SECONDS && ageSeconds >= -TOLERANCE_SECONDS)) return false;
    const signatures = fields.flatMap(([name, value]) => name === "v1" && value ? [value] : []);
    return await isSigned(signatures, secrets, toHex, `${timestamp}.`, body);
  },

  read({ body }) {
    const event = readJson(body, eventSchema);
    return event.object === "event" ? readSnapshot(event) : readThin(event);
  },
};

const thinSchema = z.object({
  id: z.string().min(1),
  object: z.literal("v2.core.event"),
  type: z.string().min(1),
  created: z.iso.datetime({ offset: true }),
  snapshot_event: z.string().min(1).nullish(),
  related_object: z.object({ id: z.string().min(1), type: z.string() }).nullish(),
});

const eventSchema = z.discriminatedUnion("object", [snapshotSchema, thinSchema]);

function readThin(event: z.output<typeof thinSchema>): VendorEvent<Hint<"stripe">> {
  const object = event.related_object ?? undefined;
  return {
    id: event.snapshot_event ?? event.id,
    type: event.type.replace(/^v1\./, ""),
    attributes: {
      object_id: object?.id,
      object_type: object?.type,
      created: new Date(event.created).toISOString(),
      ...ownId(object?.type, object?.id),
    },
  };
}
