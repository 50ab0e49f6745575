import { findCustomer } from "../registry/customers.ts";
import { releaseOrders } from "../orders/orders.ts";
import { defineStep, type Outcome, type StepContext } from "../queue/step.ts";
import type { CustomerKey } from "../registry/customers.ts";
import { healthHint, pharmacyPrescriptionHint } from "./hints.ts";

/** A prescription was written or changed in the health record: orders that wait are checked now. */
export const prescriptionWritten = defineStep({
  handles: ["health.medicationrequest.create", "health.medicationrequest.update"],
  queue: "internal",
  data: healthHint,
  run: (ctx, { patient_id }) => release(ctx, "health_patient_id", patient_id),
});

/** A prescription reached the pharmacy, or has fills again: orders that wait for it are checked now. */
export const prescriptionAtPharmacy = defineStep({
  handles: ["pharmacy.prescription.created", "pharmacy.prescription.active"],
  queue: "internal",
  data: pharmacyPrescriptionHint,
  run: (ctx, { patient_id }) => release(ctx, "pharmacy_patient_id", patient_id),
});

/** A patient who is nobody's customer (yet) waits for nothing. */
async function release(
  ctx: StepContext,
  column: CustomerKey,
  patientId: string | null | undefined,
): Promise<Outcome> {
  const customer = patientId ? await findCustomer(ctx.deps.db, column, patientId) : undefined;
  if (!customer) return { kind: "done" };
  ctx.about({ customerId: customer.id });
  return { kind: "done", commit: (trx) => releaseOrders(trx, { customer_id: customer.id }) };
}
