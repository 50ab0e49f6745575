import { z } from "zod";

/**
 * What is kept of an event: a hint where to look. Steps read the object anew and act on what it says now.
 * An event that nothing handles is PARKED with the same attributes, so that a step written later can run it.
 */

export const stripeHint = z.strictObject({
  /** The id of the object the event is about: in_…, ch_…, dp_… */
  object_id: z.string(),
  object_type: z.string().nullish(),
  created: z.string().nullish(),
  customer_id: z.string().nullish(),
  invoice_id: z.string().nullish(),
  charge_id: z.string().nullish(),
  subscription_id: z.string().nullish(),
  api_version: z.string().nullish(),
});

export const healthHint = z.strictObject({
  resource_type: z.string(),
  resource_id: z.string(),
  version_id: z.string().nullish(),
  last_updated: z.string().nullish(),
  patient_id: z.string().nullish(),
});

export const pharmacyOrderHint = z.strictObject({
  order_id: z.string(),
  reference: z.string().nullish(),
  patient_id: z.string().nullish(),
  time: z.string().nullish(),
  /** What the event itself says, in the words of `PHARMACY_ORDER_STATES`. */
  state: z.string().nullish(),
});

export const pharmacyPrescriptionHint = z.strictObject({
  prescription_id: z.string(),
  reference: z.string().nullish(),
  patient_id: z.string().nullish(),
  time: z.string().nullish(),
});
