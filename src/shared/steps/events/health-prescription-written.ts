import { healthHint } from "../../vendors/hints.ts";
import { releaseOrders } from "../../orders/orders.ts";
import { defineStep } from "../../queue/step.ts";
import { forCustomer } from "../../registry/customers.ts";
import { lookAtPrescriptions } from "../../subscriptions/look.ts";

/**
 * A prescription was written or changed in the health record. Waiting orders are checked now, its renewal is closed or
 * opened, and a first prescription starts a subscription.
 */
export const prescriptionWritten = defineStep({
  handles: ["health.medicationrequest.create", "health.medicationrequest.update"],
  queue: "internal",
  data: healthHint,
  run: (ctx, { patient_id }) =>
    forCustomer(ctx, "health_patient_id", patient_id, async (trx, customer_id) => {
      await releaseOrders(trx, { customer_id });
      return [
        { step: "renewal.check", data: { customer_id } },
        ...await lookAtPrescriptions(trx, customer_id),
      ];
    }),
});
