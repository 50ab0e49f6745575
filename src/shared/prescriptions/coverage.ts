import { isFor, isOrder, isUnreadable, UNTOLD_FILL } from "./judge.ts";
import type { Prescription } from "../vendors/contract.ts";
import { endOfValidity, firstInstant, parseFhirDateTime, startOfValidity } from "../vendors/fhir-dates.ts";
import { type Demand, fillDemand } from "./demand.ts";

const DAY_MS = 86_400_000;

/** Nobody plans further ahead: longer than any lead time and any usual prescription. */
const HORIZON_DAYS = 400;

/** What is used of a prescription beyond what the health record has counted yet. */
export interface InFlight {
  prescriptionId: string;
  /** When the pharmacy got the order. */
  placedAt: Date;
}

/** What the pharmacy's copy of a prescription still allows, where it says so. */
export interface AtPharmacy {
  left: number | null;
  /** `YYYY-MM-DD`. */
  lastDay: string | null;
}

export type CoverageCause = "EXPIRES" | "RUNS_OUT" | "NO_FILLS_LEFT" | "EXPIRED";

/**
 * Until when a customer's prescriptions cover a refill. The three dates are independent of each other; `dueOn`, the
 * first day that could go without a fill, is the earliest.
 */
export type Coverage =
  | {
    kind: "covered";
    /** The prescription that covers it last. */
    prescriptionId: string;
    cause: "EXPIRES" | "RUNS_OUT";
    /** The day the last fill that is left will be used. Null: it expires before one is asked for. */
    lastFillOn: Date | null;
    /** The last moment at which any of them may be filled. */
    expiresOn: Date;
    /** When the drug of the last fill is used up. */
    runsOutOn: Date | null;
    /** The first refill that cannot be filled. Null: beyond what is planned for. */
    firstUncovered: Date | null;
    dueOn: Date;
    /** Further usable prescriptions for the product. */
    others: number;
  }
  /** Nothing can be filled under it any more. */
  | {
    kind: "spent";
    prescriptionId: string;
    cause: "NO_FILLS_LEFT" | "EXPIRED";
    lastFillOn: Date | null;
    expiresOn: Date | null;
    runsOutOn: Date | null;
    dueOn: Date;
  }
  | { kind: "none"; why: "NO_PRESCRIPTION" | "WRONG_PRODUCT" }
  /** Unknown never counts as fine. */
  | { kind: "unclear"; prescriptionId: string; what: string };

interface Usable {
  id: string;
  from: Date | null;
  until: Date;
  left: number;
  daysSupply: number;
  lastUsedAt: Date | null;
}

type Sorted =
  | { usable: Usable }
  | { unclear: string; id: string }
  | {
    spent: "NO_FILLS_LEFT" | "EXPIRED";
    id: string;
    endedOn: Date | null;
    lastFillOn: Date | null;
    expiresOn: Date | null;
    runsOutOn: Date | null;
  };

/** FHIR's states of a prescription under which nothing is to be given. One that we do not know may be any. */
const NOT_TO_BE_GIVEN: ReadonlySet<string> = new Set([
  "on-hold",
  "cancelled",
  "entered-in-error",
  "stopped",
  "draft",
]);

/**
 * @param codes the product's RxNorm codes
 * @param inFlight orders at the pharmacy whose fill the health record has not counted yet
 * @param atPharmacy what the pharmacy has of them, where it was asked: it fills by its own copy
 * @param timeZone the pharmacy's: days end there
 */
export function coverageOf(
  prescriptions: readonly Prescription[],
  codes: ReadonlySet<string>,
  demand: Demand,
  inFlight: readonly InFlight[],
  now: Date,
  timeZone: string,
  atPharmacy: ReadonlyMap<string, AtPharmacy> = new Map(),
): Coverage {
  const forProduct = prescriptions.filter((one) => isFor(one, codes));
  const sorted = forProduct.filter((one) => isOrder(one) && !NOT_TO_BE_GIVEN.has(one.status)).map((one) =>
    sort(one, inFlight, now, timeZone, atPharmacy.get(one.id))
  );
  const usable = sorted.flatMap((one) => "usable" in one ? [one.usable] : []);
  if (usable.length > 0) return plan(usable, demand, now);
  const unreadable = prescriptions.filter(isUnreadable).map(({ id }) => ({ id, unclear: "what it is for" }));
  const [unclear] = [...sorted.flatMap((one) => "unclear" in one ? [one] : []), ...unreadable];
  if (unclear) return { kind: "unclear", prescriptionId: unclear.id, what: unclear.unclear };
  const [spent] = sorted.flatMap((one) => "spent" in one ? [one] : [])
    .sort((a, b) => (b.endedOn?.getTime() ?? 0) - (a.endedOn?.getTime() ?? 0));
  if (!spent) {
    const isWrong = forProduct.length === 0 && prescriptions.some(isOrder);
    return { kind: "none", why: isWrong ? "WRONG_PRODUCT" : "NO_PRESCRIPTION" };
  }
  const [first = now] = fillDemand(demand, now, addDays(now, HORIZON_DAYS));
  const dueOn = spent.endedOn && spent.endedOn < first ? spent.endedOn : first;
  const { lastFillOn, expiresOn, runsOutOn } = spent;
  return {
    kind: "spent",
    prescriptionId: spent.id,
    cause: spent.spent,
    lastFillOn,
    expiresOn,
    runsOutOn,
    dueOn,
  };
}

function sort(
  prescription: Prescription,
  inFlight: readonly InFlight[],
  now: Date,
  timeZone: string,
  atPharmacy: AtPharmacy | undefined,
): Sorted {
  const { id, status, validUntil, validFrom, fillsAllowed, fillsDispensed, daysSupply } = prescription;
  const untilOnRecord = validUntil === null ? null : endOfValidity(validUntil, timeZone);
  const untilAtPharmacy = atPharmacy?.lastDay ? endOfValidity(atPharmacy.lastDay, timeZone) : null;
  const until = untilOnRecord && untilAtPharmacy && untilAtPharmacy < untilOnRecord
    ? untilAtPharmacy
    : untilOnRecord;
  const leftAtPharmacy = atPharmacy?.left ?? Infinity;
  const onRecordAt = dispensedAt(prescription, now);
  // One that was placed before the latest fill was handed over is on record: its parcel's news can be the later one.
  const placed = inFlight.filter((one) =>
    one.prescriptionId === id && (!onRecordAt || one.placedAt > onRecordAt)
  ).map(({ placedAt }) => placedAt);
  const onRecord = fillsAllowed === null ? null : fillsAllowed - fillsDispensed - placed.length;
  // The pharmacy handed out what is not on record yet: nobody knows when, so nobody knows until when that drug lasts.
  const isBehind = onRecord !== null && leftAtPharmacy < onRecord;
  const lastUsedAt = isBehind ? null : latest([...placed, onRecordAt]);
  const drugLasts = lastUsedAt && daysSupply !== null ? addDays(lastUsedAt, daysSupply) : null;
  if (status !== "active" && status !== "completed") return { unclear: "its status", id };
  const dates = { lastFillOn: lastUsedAt, expiresOn: until, runsOutOn: drugLasts };
  if (until && until < now) return { spent: "EXPIRED", id, endedOn: until, ...dates };
  const left = onRecord === null ? null : Math.min(onRecord, leftAtPharmacy);
  if (status === "completed" || (left !== null && left <= 0)) {
    return { spent: "NO_FILLS_LEFT", id, endedOn: drugLasts, ...dates };
  }
  if (!until) return { unclear: "the last day it is valid", id };
  if (left === null) return { unclear: "the number of fills", id };
  if (daysSupply === null) return { unclear: "the days' supply", id };
  const from = validFrom === null ? null : startOfValidity(validFrom, timeZone);
  if (validFrom !== null && !from) return { unclear: "the first day it is valid", id };
  // A fill that may be gone counts as gone; where it may have been the last one, only a person can tell.
  const surelyLeft = left - (prescription.uncertainFills ?? 0);
  if (surelyLeft <= 0) return { unclear: UNTOLD_FILL, id };
  return { usable: { id, from, until, left: surelyLeft, daysSupply, lastUsedAt } };
}

/** A prescription dated today begins when the pharmacy's day does; an order that waits for that is no gap. */
const FILL_MAY_WAIT_DAYS = 1;

/** Uses up the fills as they will be asked for, the prescription that expires first at the head. */
function plan(usable: Usable[], demand: Demand, now: Date): Coverage {
  const queue = usable.toSorted((a, b) => a.until.getTime() - b.until.getTime())
    .map((one) => ({ ...one }));
  const horizon = addDays(now, HORIZON_DAYS);
  let last: { by: Usable; on: Date } | null = null;
  let firstUncovered: Date | null = null;
  for (const day of fillDemand(demand, now, horizon)) {
    const latestStart = addDays(day, FILL_MAY_WAIT_DAYS);
    const by = queue.find((one) => one.left > 0 && (one.from ?? day) <= latestStart && day <= one.until);
    if (!by) {
      firstUncovered = day;
      break;
    }
    by.left -= 1;
    last = { by, on: day };
  }
  // What ended it: a prescription with fills left that expires before it is asked again, or the last fill.
  const lastOn = last?.on ?? now;
  const [expiring] = queue
    .filter((one) => one.left > 0 && one.until >= lastOn && (!firstUncovered || one.until < firstUncovered))
    .toSorted((a, b) => b.until.getTime() - a.until.getTime());
  const cause = expiring ? "EXPIRES" : "RUNS_OUT";
  const by = expiring ?? last?.by ?? queue[0];
  if (!by) throw new Error("a plan needs a prescription");
  const expiresOn = latest(queue.map(({ until }) => until)) ?? by.until;
  const runsOutOn = last
    ? addDays(last.on, last.by.daysSupply)
    : by.lastUsedAt && addDays(by.lastUsedAt, by.daysSupply);
  // A drug that ran out while there were fills to be had ran out because none was asked for: the customer had paused.
  const isForWantOfFills = last !== null || (runsOutOn !== null && runsOutOn > now);
  const ends = [
    firstUncovered,
    expiring?.until ?? null,
    firstUncovered && isForWantOfFills ? runsOutOn : null,
  ];
  const times = ends.flatMap((end) => end ? [end.getTime()] : []);
  return {
    kind: "covered",
    prescriptionId: by.id,
    cause,
    lastFillOn: last?.on ?? null,
    expiresOn,
    runsOutOn,
    firstUncovered,
    dueOn: times.length > 0 ? new Date(Math.max(Math.min(...times), now.getTime())) : horizon,
    others: usable.length - 1,
  };
}

/**
 * When the last fill was handed over; days begin in UTC, which errs on the early side. A day ahead of us is a slip of
 * the pen: the fill is used all the same, and lasts no longer than from now on.
 */
function dispensedAt({ lastDispensedOn }: Prescription, now: Date): Date | null {
  const parsed = lastDispensedOn === null ? null : parseFhirDateTime(lastDispensedOn);
  return parsed && new Date(Math.min(firstInstant(parsed), now.getTime()));
}

function latest(dates: readonly (Date | null)[]): Date | null {
  const times = dates.flatMap((date) => date ? [date.getTime()] : []);
  return times.length > 0 ? new Date(Math.max(...times)) : null;
}

export function addDays(date: Date, days: number): Date {
  return new Date(date.getTime() + days * DAY_MS);
}
