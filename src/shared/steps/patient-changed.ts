import { findCustomer } from "../registry/customers.ts";
import { releaseOrders, resumeAddressless } from "../orders/orders.ts";
import { defineStep } from "../queue/step.ts";
import { healthHint } from "./hints.ts";

/**
 * A patient was written in the health record, perhaps with another address: orders that are with the pharmacy are compared
 * with it. One that is being placed at this moment learns of it from `released_at`; one that stopped for want of an
 * address is checked again.
 */
export const patientChanged = defineStep({
  handles: ["health.patient.create", "health.patient.update"],
  queue: "internal",
  data: healthHint,
  async run(ctx, { resource_id: patientId }) {
    const customer = await findCustomer(ctx.deps.db, "health_patient_id", patientId);
    if (!customer) return { kind: "done" };
    ctx.about({ customerId: customer.id });
    return {
      kind: "done",
      commit: async (trx) => {
        await releaseOrders(trx, { customer_id: customer.id });
        await resumeAddressless(trx, customer.id);
        return [{ step: "owner.check_address", data: { customer_id: customer.id } }];
      },
    };
  },
});
