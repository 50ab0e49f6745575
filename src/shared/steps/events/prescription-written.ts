import type { Trx } from "../../db/database.ts";
import { findCustomer } from "../../registry/customers.ts";
import { releaseOrders } from "../../orders/orders.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { lookAtPrescriptions } from "../../subscriptions/read.ts";
import { defineStep, type Outcome, type StepContext } from "../../queue/step.ts";
import type { CustomerKey } from "../../registry/customers.ts";
import { healthHint, pharmacyPrescriptionHint } from "../../ingest/hints.ts";

/**
 * A prescription was written or changed in the health record: orders that wait are checked now, a renewal is closed or
 * opened by what it says, and a first one begins a subscription.
 */
export const prescriptionWritten = defineStep({
  handles: ["health.medicationrequest.create", "health.medicationrequest.update"],
  queue: "internal",
  data: healthHint,
  run: (ctx, { patient_id }) =>
    checkNow(ctx, "health_patient_id", patient_id, (customer_id): FollowUp[] => [
      { step: "renewal.check", data: { customer_id } },
    ], lookAtPrescriptions),
});

/**
 * A prescription reached the pharmacy, or has fills again: orders that wait for it are checked now, and its renewal; and
 * so is whether it is a first one, should the health record's own word be lost.
 */
export const prescriptionAtPharmacy = defineStep({
  handles: ["pharmacy.prescription.created", "pharmacy.prescription.active"],
  queue: "internal",
  data: pharmacyPrescriptionHint,
  run: (ctx, { patient_id }) =>
    checkNow(ctx, "pharmacy_patient_id", patient_id, (customer_id): FollowUp[] => [
      { step: "renewal.check", data: { customer_id } },
    ], lookAtPrescriptions),
});

/** Every fill is on an order, or the prescription was ended: the renewal opens, also where only the pharmacy knows yet. */
export const prescriptionUsedUp = defineStep({
  handles: ["pharmacy.prescription.depleted", "pharmacy.prescription.canceled"],
  queue: "internal",
  data: pharmacyPrescriptionHint,
  run: (ctx, { patient_id }) =>
    checkNow(ctx, "pharmacy_patient_id", patient_id, (customer_id): FollowUp[] => [
      { step: "renewal.check", data: { customer_id, ask_pharmacy: true } },
    ]),
});

/** A patient who is nobody's customer (yet) waits for nothing. */
async function checkNow(
  ctx: StepContext,
  column: CustomerKey,
  patientId: string | null | undefined,
  followUps: (customerId: number) => FollowUp[],
  more: (trx: Trx, customerId: number) => Promise<FollowUp[]> = () => Promise.resolve([]),
): Promise<Outcome> {
  const customer = patientId ? await findCustomer(ctx.deps.db, column, patientId) : undefined;
  if (!customer) return { kind: "done" };
  ctx.about({ customerId: customer.id });
  return {
    kind: "done",
    commit: async (trx) => {
      await releaseOrders(trx, { customer_id: customer.id });
      return [...followUps(customer.id), ...await more(trx, customer.id)];
    },
  };
}
