import type { Prescription } from "../vendors/health.ts";
import { endOf, startOf } from "./dates.ts";

/** A thing that may be missing in a prescription, in plain words without a medical fact. */
export type Need =
  | "the first day it is valid"
  | "the last day it is valid"
  | "the number of fills"
  | "the days' supply"
  /** A dispense on file names none, and may have used the last fill. */
  | "the prescription of a recorded fill";

/** The needs of one fill, in the order in which a person is asked for them. */
export const NEEDED_TO_FILL: readonly Need[] = [
  "the first day it is valid",
  "the last day it is valid",
  "the number of fills",
  "the prescription of a recorded fill",
];

/** The terms of filling it, once it has begun. */
export type Terms =
  | { kind: "valid"; from: Date | null; until: Date; fillsLeft: number }
  /** It might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; what: Need };

type ByDates =
  | Terms
  | { kind: "not yet valid"; from: Date; then: Terms }
  | { kind: "expired" }
  | { kind: "used up" };

/** The one standing of a prescription, for any product. Only a valid one can be filled. */
export type Standing =
  | ByDates
  | { kind: "on hold" }
  /** Cancelled or stopped. */
  | { kind: "ended" }
  /** A draft, or entered in error: nothing was ever filled under it. */
  | { kind: "never written" }
  /** A plan, a proposal, or an order not to give. */
  | { kind: "no order" }
  /** It may be for anything. */
  | { kind: "unreadable" }
  /** `dates` is the standing that it would have if it were active; so below. */
  | { kind: "completed"; dates: ByDates }
  /** A status that is not in this file. */
  | { kind: "unknown status"; dates: ByDates };

/** FHIR's statuses under which nothing is to be given. */
const NOT_TO_BE_GIVEN = new Map<string, Standing>([
  ["on-hold", { kind: "on hold" }],
  ["cancelled", { kind: "ended" }],
  ["stopped", { kind: "ended" }],
  ["draft", { kind: "never written" }],
  ["entered-in-error", { kind: "never written" }],
]);

/**
 * The standing at `now`.
 * @param timeZone the pharmacy's: days begin and end there
 * @param needs the things that the caller must know of it, in the order in which a person is asked for them
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

/** By the status alone. */
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
    "the prescription of a recorded fill": left !== null && left <= uncertainFills,
  };
  const what = needs.find((need) => isMissing[need]);
  const terms: Terms = until && left !== null && what === undefined
    // A fill that may be gone counts as gone.
    ? { kind: "valid", from, until, fillsLeft: left - uncertainFills }
    : { kind: "unclear", what: what ?? "the last day it is valid" };
  return from && from > now ? { kind: "not yet valid", from, then: terms } : terms;
}
