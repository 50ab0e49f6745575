import { z } from "zod";
import type { Hint } from "../hints.ts";
import type { VendorEvent } from "../webhook.ts";

/** The last second a `Date` can tell. */
const MAX_EPOCH_SECONDS = 8.64e12;

/** An id, or the whole object where the endpoint's version expands it. Anything else counts as absent. */
const reference = z
  .union([z.string().min(1), z.object({ id: z.string().min(1) }).transform((object) => object.id)])
  .optional()
  .catch(undefined);

const parent = z.object({ subscription_details: z.object({ subscription: reference }) });

/** A snapshot event, as its webhook and the list of events show it. Every field is an id, a type or a time. */
export const snapshotSchema = z.object({
  id: z.string().min(1),
  object: z.literal("event"),
  type: z.string().min(1),
  created: z.int().nonnegative().max(MAX_EPOCH_SECONDS),
  api_version: z.string().nullish(),
  data: z.object({
    object: z.object({
      id: reference,
      object: z.string(),
      customer: reference,
      invoice: reference,
      charge: reference,
      subscription: reference,
      parent: parent.optional().catch(undefined),
    }),
  }),
});

/** The webhook and the list of events reduce an event in the same way. */
export function readSnapshot(event: z.output<typeof snapshotSchema>): VendorEvent<Hint<"stripe">> {
  const { object } = event.data;
  return {
    id: event.id,
    type: event.type,
    attributes: {
      object_id: object.id,
      object_type: object.object,
      created: new Date(event.created * 1000).toISOString(),
      api_version: event.api_version ?? undefined,
      customer_id: object.customer,
      invoice_id: object.invoice,
      charge_id: object.charge,
      subscription_id: object.subscription ?? object.parent?.subscription_details.subscription,
      ...ownId(object.object, object.id),
    },
  };
}

const NAMED_IDS = ["customer", "invoice", "charge", "subscription"];

/** An invoice's own id is also the `invoice_id`, and so on: a thin event has no other id. */
export function ownId(type: string | undefined, id: string | undefined): Record<string, string> {
  return type !== undefined && id !== undefined && NAMED_IDS.includes(type) ? { [`${type}_id`]: id } : {};
}
