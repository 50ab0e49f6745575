import { z } from "zod";

/**
 * The attributes of an event that its source's connector keeps and ingest stores. Steps take them for a hint, read the
 * object anew and act on its present state. An event without a step is PARKED with the same attributes, so that a step
 * written later can run it.
 */
export const HINTS = {
  stripe: z.strictObject({
    /** The id of the event's object: in_…, ch_…, dp_… Some events have none, or one that does not exist yet. */
    object_id: z.string().optional(),
    object_type: z.string().optional(),
    created: z.string().optional(),
    customer_id: z.string().optional(),
    invoice_id: z.string().optional(),
    charge_id: z.string().optional(),
    subscription_id: z.string().optional(),
    api_version: z.string().optional(),
  }),
  health: z.strictObject({
    resource_type: z.string(),
    resource_id: z.string(),
    version_id: z.string().nullish(),
    last_updated: z.string().nullish(),
    patient_id: z.string().nullish(),
  }),
  pharmacy: z.strictObject({
    order_id: z.string().optional(),
    prescription_id: z.string().optional(),
    /** The subject of an event of neither an order nor a prescription. */
    subject: z.string().nullish(),
    reference: z.string().nullish(),
    patient_id: z.string().nullish(),
    time: z.string().nullish(),
    /** The order's state by the event alone, one of `PHARMACY_ORDER_STATES`. */
    state: z.string().nullish(),
  }),
  crm: z.strictObject({
    person_id: z.string().nullish(),
    cio_id: z.string().nullish(),
    at: z.string().nullish(),
  }),
  /** Any vendor by Standard Webhooks: nothing is known of its bodies. */
  standard: z.strictObject({ type: z.string(), at: z.string().nullish() }),
};
export type Hint<Source extends keyof typeof HINTS> = z.output<typeof HINTS[Source]>;

/** An event with an object that exists at Stripe. */
export const stripeHint = HINTS.stripe.required({ object_id: true });
export const healthHint = HINTS.health;
export const pharmacyOrderHint = HINTS.pharmacy.required({ order_id: true });
export const pharmacyPrescriptionHint = HINTS.pharmacy.required({ prescription_id: true });
export const crmHint = HINTS.crm;
