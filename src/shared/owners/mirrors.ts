import { MIRRORED_FACTS } from "../queue/step-data.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import { contactDifferences, type ContactReading } from "./contact.ts";
import { type Difference, type MirroredFact, OWNERS } from "./owners.ts";
import { type Plan, planDifferences } from "./plan.ts";

/** A customer's mirrored facts at their owners and at the mirrors. Held in memory only. */
export interface MirrorReading extends ContactReading {
  crm: CrmProfile;
  /** Null: Stripe was not asked for it, or the customer has no key there. */
  plan: Plan | null;
  /** When it was read: a customer who was asked long ago is asked again. */
  now: Date;
}

/** The differences of one fact, in the order of {@link OWNERS}. */
export function differencesOf(fact: MirroredFact, reading: MirrorReading): Difference[] {
  if (fact === "contact") return contactDifferences(reading, reading.now).map((one) => ({ ...one, fact }));
  return reading.plan ? planDifferences(reading.plan, reading.crm) : [];
}

/** The number of mirrors in these systems that a reading compares with their owners. */
export function comparedIn(reading: MirrorReading, systems: readonly string[]): number {
  const isThere: Record<Difference["system"], boolean> = {
    crm: reading.plan !== null,
    stripe: reading.stripe !== null,
    registry: true,
    login: reading.login !== null,
  };
  return MIRRORED_FACTS.flatMap((fact) => [...OWNERS[fact].mirrors]).filter(({ system }) =>
    isThere[system] && systems.includes(system)
  ).length;
}
