import { releaseOrders, resumeAddressless } from "../../orders/orders.ts";
import { holderOf, inWords, lockKeys, makeFormer } from "../../registry/keys.ts";
import { referencesOf } from "../../registry/references.ts";
import { type FollowUp, Permanent } from "../../queue/reasons.ts";
import { defineStep, type Outcome, type StepContext } from "../../queue/step.ts";
import type { HealthPatient } from "../../vendors/health.ts";
import { healthHint } from "../../vendors/hints.ts";
import { assignCustomer, linkOrAsk, waitForNamed } from "../../registry/link.ts";
import { replacedBy, standingPatient } from "../../registry/patients.ts";

/**
 * A patient was written, changed, merged into another or deleted. The record is read anew: the signature of a delete is
 * the same for all, and its id is not signed.
 */
export const healthPatient = defineStep({
  handles: ["health.patient.create", "health.patient.update", "health.patient.delete"],
  queue: "health",
  data: healthHint,
  async run(ctx, { resource_id: id }) {
    const found = await standingPatient(ctx, id);
    if (found.kind === "gone") return gone(ctx, id);
    if (found.kind === "unclear") {
      // Nothing is to be corrected for a patient who belongs to no customer and names none.
      if (!(await isOurs(ctx, found.patients))) return { kind: "done" };
      throw new Permanent("PATIENT_MERGE_UNCLEAR", {
        what: inWords({ system: "health", key: id }),
        problem: found.problem,
      });
    }
    const { patient } = found;
    const replaced = [...found.before, ...await replacedBy(ctx, patient, found.before)];
    if (!patient.active && !(await isOurs(ctx, [patient]))) return { kind: "done" };
    const sighting = {
      system: "health" as const,
      key: patient.id,
      replaced: replaced.map(({ id: key, identifiers }) => ({ key, references: referencesOf(identifiers) })),
      references: referencesOf(patient.identifiers),
      emails: patient.emails,
      mayBeNew: false,
    };
    await waitForNamed(ctx, sighting);
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        const { customerId, followUps } = await linkOrAsk(ctx, trx, sighting);
        if (customerId === undefined) return followUps;
        // The address may differ: `released_at` tells an order that is being placed right now, and an order that stopped
        // without an address is checked again.
        await releaseOrders(trx, { customer_id: customerId });
        await resumeAddressless(trx, customerId);
        return [...followUps, { step: "owner.check_address", data: { customer_id: customerId } }];
      },
    };
  },
});

async function isOurs(ctx: StepContext, patients: readonly HealthPatient[]): Promise<boolean> {
  for (const { id, identifiers } of patients) {
    if (referencesOf(identifiers).length > 0) return true;
    if (await holderOf(ctx.deps.db, { system: "health", key: id })) return true;
  }
  return false;
}

/** The key becomes a former one. Its customer's refills and orders are checked, and ask for a missing key. */
function gone(ctx: StepContext, key: string): Outcome {
  return {
    kind: "done",
    commit: async (trx): Promise<FollowUp[]> => {
      await lockKeys(trx);
      const customerId = await makeFormer(trx, { system: "health", key }, "deleted");
      if (customerId === undefined) return [];
      await assignCustomer(ctx, trx, customerId);
      await releaseOrders(trx, { customer_id: customerId });
      return [{ step: "renewal.check", data: { customer_id: customerId } }];
    },
  };
}
