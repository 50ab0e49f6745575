import { pharmacyPrescriptionHint } from "../../vendors/hints.ts";
import { releaseOrders } from "../../orders/orders.ts";
import { defineStep } from "../../queue/step.ts";
import { forCustomer } from "../../registry/customers.ts";
import { lookAtPrescriptions } from "../../subscriptions/look.ts";

/**
 * A prescription reached the pharmacy, or has fills again: its waiting orders and its renewal are checked now. It may be a
 * first prescription whose event from the health record was lost, so that is checked too.
 */
export const prescriptionAtPharmacy = defineStep({
  handles: ["pharmacy.prescription.created", "pharmacy.prescription.active"],
  queue: "internal",
  data: pharmacyPrescriptionHint,
  run: (ctx, { patient_id }) =>
    forCustomer(ctx, "pharmacy_patient_id", patient_id, async (trx, customer_id) => {
      await releaseOrders(trx, { customer_id });
      return [
        { step: "renewal.check", data: { customer_id } },
        ...await lookAtPrescriptions(trx, customer_id),
      ];
    }),
});

/** Every fill is on an order, or the prescription was ended: the renewal opens, even if only the pharmacy knows yet. */
export const prescriptionUsedUp = defineStep({
  handles: ["pharmacy.prescription.depleted", "pharmacy.prescription.canceled"],
  queue: "internal",
  data: pharmacyPrescriptionHint,
  run: (ctx, { patient_id }) =>
    forCustomer(ctx, "pharmacy_patient_id", patient_id, async (trx, customer_id) => {
      await releaseOrders(trx, { customer_id });
      return [{ step: "renewal.check", data: { customer_id, ask_pharmacy: true } }];
    }),
});
