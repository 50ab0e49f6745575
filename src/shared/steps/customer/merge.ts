import type { Database, Trx } from "../../db/database.ts";
import { type Customer, findCustomerById } from "../../registry/customers.ts";
import { type Key, KEYS, type KeySystem, lockKeys, makeFormer, type WhyFormer } from "../../registry/keys.ts";
import { collidingRenewal, mergeRows } from "../../registry/merge.ts";
import { type FollowUp, Permanent } from "../../queue/reasons.ts";
import { KEY_SYSTEMS } from "../../queue/step-data.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { assignCustomer, linked } from "../../registry/link.ts";
import { standingPatient } from "../../registry/patients.ts";

/**
 * Merges two customers, as a person says: everything of `from` goes over to `into`. A system that has both must have
 * merged them first, or a person gives up the key of `from`.
 */
export const customerMerge = defineOwnStep("customer.merge", {
  queue: "health",
  async run(ctx, data) {
    const { from, into, isDone } = await readBoth(ctx.deps.db, data);
    ctx.about({ customerId: into.id });
    if (isDone) return { kind: "done" };
    const { retired, links } = await prepareMerge(ctx, from, into, data.give_up ?? []);
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        await lockKeys(trx);
        const now = await readBoth(trx, data);
        // This try fails, and the next one reads the owners anew.
        if (JSON.stringify(now) !== JSON.stringify({ from, into, isDone })) {
          throw new Error("their keys changed");
        }
        for (const { key, why } of retired) await makeFormer(trx, key, why);
        await refuseColliding(trx, from, into);
        await mergeRows(trx, from.id, into.id);
        await assignCustomer(ctx, trx, into.id);
        return [linked(into.id), ...links];
      },
    };
  },
});

interface Both {
  from: Customer;
  into: Customer;
  /** True when they are one already, in either direction. */
  isDone: boolean;
}

async function readBoth(db: Database | Trx, data: { from: number; into: number }): Promise<Both> {
  if (data.from === data.into) throw new Permanent("INVALID_DATA", { problem: "into: the same as from" });
  const from = await findCustomerById(db, data.from);
  const into = await findCustomerById(db, data.into);
  if (!from || !into) throw new Permanent("CUSTOMER_NOT_THERE", { customer: from ? data.into : data.from });
  if (from.id === into.id) return { from, into, isDone: true };
  if (from.id !== data.from) throw new Permanent("ALREADY_MERGED", { from: data.from, into: from.id });
  return { from, into, isDone: false };
}

interface Preparation {
  retired: { key: Key; why: WhyFormer }[];
  links: FollowUp<"customer.link">[];
}

/** Asks the owners for the keys to retire, so that every system has one customer. Throws where a person must act. */
async function prepareMerge(
  ctx: StepContext,
  from: Customer,
  into: Customer,
  givenUp: readonly KeySystem[],
): Promise<Preparation> {
  const retired: Preparation["retired"] = [];
  for (const system of KEY_SYSTEMS) {
    const [one, other] = [from[KEYS[system].column], into[KEYS[system].column]];
    if (one === null || other === null) continue;
    const former = givenUp.includes(system)
      ? { key: one, why: "replaced" as const }
      : await formerOf(ctx, system, one, other);
    if (!former) {
      throw new Permanent("MERGE_KEYS_DIFFER", { from: from.id, into: into.id, system, one, other });
    }
    retired.push({ key: { system, key: former.key }, why: former.why });
  }
  await refuseColliding(ctx.deps.db, from, into);
  const gone = retired.map(({ key }) => key.key);
  const patientId = [into.health_patient_id, from.health_patient_id].find((id) => id && !gone.includes(id));
  const newer = patientId ? await standingPatient(ctx, patientId) : undefined;
  // A patient that the health record made of both may be in neither row.
  if (newer?.kind !== "patient" || newer.patient.id === patientId) return { retired, links: [] };
  const data = { system: "health", key: newer.patient.id, customer_id: into.id, replace: true } as const;
  return { retired, links: [{ step: "customer.link", data }] };
}

/** The one of two keys that its owner gave up; undefined while both are live there. */
async function formerOf(
  ctx: StepContext,
  system: KeySystem,
  one: string,
  other: string,
): Promise<{ key: string; why: WhyFormer } | undefined> {
  if (system === "stripe") {
    for (const key of [one, other]) {
      if (!(await ctx.vendors.stripe.getCustomer(key))) return { key, why: "deleted" };
    }
  }
  if (system === "health") {
    const found = [];
    for (const key of [one, other]) {
      const stands = await standingPatient(ctx, key);
      if (stands.kind === "gone") return { key, why: "deleted" };
      found.push(stands.kind === "patient" ? stands.patient.id : null);
    }
    const [a, b] = found;
    if (a && a === b) return { key: a === one ? other : one, why: "merged" };
  }
  return undefined;
}

async function refuseColliding(db: Database | Trx, from: Customer, into: Customer): Promise<void> {
  const product = await collidingRenewal(db, from.id, into.id);
  if (product !== undefined) {
    throw new Permanent("MERGE_RENEWALS_COLLIDE", { from: from.id, into: into.id, product });
  }
}
