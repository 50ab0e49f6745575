import type { Prescription } from "../vendors/health.ts";
import { endOf, startOf } from "./dates.ts";

/** What may be missing in a prescription, in plain words without a medical fact. */
export type Need =
  | "the first day it is valid"
  | "the last day it is valid"
  | "the number of fills"
  | "the days' supply"
  /** A dispense on file may have used the last fill, and does not say so. */
  | "which prescription a recorded fill belongs to";

/** What filling it once needs to know, in the order in which a person is asked for it. */
export const NEEDED_TO_FILL: readonly Need[] = [
  "the first day it is valid",
  "the last day it is valid",
  "the number of fills",
  "which prescription a recorded fill belongs to",
];

/** Under which it can be filled, once it has begun. */
export type Terms =
  | { kind: "valid"; from: Date | null; until: Date; fillsLeft: number }
  /** It might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; what: Need };

/** What its dates and fills say. */
type ByDates =
  | Terms
  | { kind: "not yet valid"; from: Date; then: Terms }
  | { kind: "expired" }
  | { kind: "used up" };

/** The one standing of a prescription, whatever it is for. Nothing can be filled but under a valid one. */
export type Standing =
  | ByDates
  | { kind: "on hold" }
  /** Cancelled or stopped. */
  | { kind: "ended" }
  /** A draft, or entered in error: nobody was ever given anything under it. */
  | { kind: "never written" }
  /** A plan, a proposal, or an order not to give. */
  | { kind: "no order" }
  /** The record holds one that may be for anything. */
  | { kind: "unreadable" }
  /** The record says that it is done with; `dates` is what it would be otherwise. */
  | { kind: "completed"; dates: ByDates }
  /** A status that nothing here understands; `dates` is what it would be if it were active. */
  | { kind: "unknown status"; dates: ByDates };

/** FHIR's statuses under which nothing is to be given. */
const NOT_TO_BE_GIVEN: ReadonlyMap<string, Standing> = new Map<string, Standing>([
  ["on-hold", { kind: "on hold" }],
  ["cancelled", { kind: "ended" }],
  ["stopped", { kind: "ended" }],
  ["draft", { kind: "never written" }],
  ["entered-in-error", { kind: "never written" }],
]);

/**
 * The standing at `now`.
 * @param timeZone the pharmacy's: days begin and end there
 * @param needs what the caller must know of it, in the order in which a person is asked for it
 */
export function standingOf(
  prescription: Prescription,
  now: Date,
  timeZone: string,
  needs: readonly Need[] = NEEDED_TO_FILL,
): Standing {
  const { fhir } = prescription;
  if (!fhir) return { kind: "unreadable" };
  if (fhir.intent !== "order" || fhir.doNotPerform) return { kind: "no order" };
  const notToBeGiven = NOT_TO_BE_GIVEN.get(fhir.status);
  if (notToBeGiven) return notToBeGiven;
  const dates = byDates(prescription, now, timeZone, needs);
  if (isActive(prescription)) return dates;
  return { kind: fhir.status === "completed" ? "completed" : "unknown status", dates };
}

/** What the status alone says. */
export function isActive({ fhir }: Pick<Prescription, "fhir">): boolean {
  return fhir?.status === "active";
}

function byDates(prescription: Prescription, now: Date, timeZone: string, needs: readonly Need[]): ByDates {
  const { validFrom, validUntil, fillsAllowed, fillsDispensed, uncertainFills = 0, daysSupply } =
    prescription;
  const until = endOf(validUntil, timeZone);
  if (until && until < now) return { kind: "expired" };
  const left = fillsAllowed === null || fillsDispensed === null ? null : fillsAllowed - fillsDispensed;
  if (left !== null && left <= 0) return { kind: "used up" };
  const from = startOf(validFrom, timeZone);
  const isMissing: Record<Need, boolean> = {
    "the first day it is valid": validFrom !== null && !from,
    "the last day it is valid": !until,
    "the number of fills": left === null,
    "the days' supply": daysSupply === null,
    "which prescription a recorded fill belongs to": left !== null && left <= uncertainFills,
  };
  const what = needs.find((need) => isMissing[need]);
  const terms: Terms = until && left !== null && what === undefined
    // A fill that may be gone counts as gone; where it may have been the last one, only a person can tell.
    ? { kind: "valid", from, until, fillsLeft: left - uncertainFills }
    : { kind: "unclear", what: what ?? "the last day it is valid" };
  return from && from > now ? { kind: "not yet valid", from, then: terms } : terms;
}
