import { z } from "zod";

/**
 * By source: what its connector keeps of an event, a hint where to look. Ingest stores these attributes and no others.
 * Steps read the object anew and act on what it says now. An event that nothing handles is PARKED with the same
 * attributes, so that a step written later can run it.
 */
export const HINTS = {
  stripe: z.strictObject({
    /** The id of the object the event is about: in_…, ch_…, dp_… Some events are about none, or one yet to come. */
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
    /** What an event is about that is neither an order's nor a prescription's. */
    subject: z.string().nullish(),
    reference: z.string().nullish(),
    patient_id: z.string().nullish(),
    time: z.string().nullish(),
    /** What the event itself says of an order, in the words of `PHARMACY_ORDER_STATES`. */
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

/** An event about an object that exists at Stripe. */
export const stripeHint = HINTS.stripe.required({ object_id: true });
export const healthHint = HINTS.health;
export const pharmacyOrderHint = HINTS.pharmacy.required({ order_id: true });
export const pharmacyPrescriptionHint = HINTS.pharmacy.required({ prescription_id: true });
export const crmHint = HINTS.crm;
