import { MIRRORED_FACTS } from "../queue/step-data.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import type { StripeCustomer } from "../vendors/stripe/client.ts";
import { contactDifferences, type ContactReading } from "./contact.ts";
import { type MirroredFact, OWNERS } from "./owners.ts";
import { type Plan, planDifferences } from "./plan.ts";

/** A customer's mirrored facts as their owners tell and as the mirrors show them. Held in memory only. */
export interface MirrorReading {
  crm: CrmProfile;
  /** Null: Stripe was not asked for it, or the customer has no key there. */
  plan: Plan | null;
  /** Null: the customer has no key there, was deleted there, or it was not asked. So with the login. */
  stripe: Pick<StripeCustomer, "email" | "phone"> | null;
  registryEmail: string | null;
  login: ContactReading["login"];
  /** When it was read: a customer who was asked long ago is asked again. */
  now: Date;
}

/** A mirror that does not show what the owner says. The values are never kept or logged: see `hashDifferences`. */
export interface Difference {
  fact: MirroredFact;
  system: (typeof OWNERS)[MirroredFact]["mirrors"][number]["system"];
  attribute: string;
  owner: string | null;
  mirror: string | null;
  /** It lags, but nothing is left to do about it. */
  awaitsConfirmation: boolean;
}

const COMPARE: Record<MirroredFact, (reading: MirrorReading) => Difference[]> = {
  plan: ({ plan, crm }) =>
    plan === null
      ? []
      : planDifferences(plan, crm).map((one) => ({ ...one, fact: "plan", awaitsConfirmation: false })),
  contact: (reading) => contactDifferences(reading, reading.now).map((one) => ({ ...one, fact: "contact" })),
};

/** What differs of one fact, mirror by mirror as {@link OWNERS} lists them. */
export function differencesOf(fact: MirroredFact, reading: MirrorReading): Difference[] {
  return COMPARE[fact](reading);
}

/** How many mirrors in these systems a reading compares with their owners. */
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
