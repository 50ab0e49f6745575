import { addDays, type Day, endOfDay } from "../day.ts";
import type { Prescription, RecordedDate } from "../vendors/health.ts";
import { isFor } from "./by-product.ts";
import { endOf, startOf } from "./dates.ts";
import { type Demand, fillDemand } from "./demand.ts";
import { type Need, standingOf, type Terms } from "./standing.ts";

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
  lastDay: Day | null;
}

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

/** What planning by it needs to know. */
const NEEDED_TO_PLAN: readonly Need[] = [
  "the last day it is valid",
  "the number of fills",
  "the days' supply",
  "the first day it is valid",
  "which prescription a recorded fill belongs to",
];

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
  const sorted = forProduct.flatMap((one) =>
    sort(one, inFlight, now, timeZone, atPharmacy.get(one.id)) ?? []
  );
  const usable = sorted.flatMap((one) => "usable" in one ? [one.usable] : []);
  if (usable.length > 0) return plan(usable, demand, now, timeZone);
  const kinds = prescriptions.map((one) => ({ id: one.id, kind: standingOf(one, now, timeZone).kind }));
  const unreadable = kinds.filter(({ kind }) => kind === "unreadable")
    .map(({ id }) => ({ id, unclear: "what it is for" }));
  const [unclear] = [...sorted.flatMap((one) => "unclear" in one ? [one] : []), ...unreadable];
  if (unclear) return { kind: "unclear", prescriptionId: unclear.id, what: unclear.unclear };
  const [spent] = sorted.flatMap((one) => "spent" in one ? [one] : [])
    .sort((a, b) => (b.endedOn?.getTime() ?? 0) - (a.endedOn?.getTime() ?? 0));
  if (!spent) {
    const isWrong = forProduct.length === 0 && kinds.some(({ kind }) => kind !== "no order");
    return { kind: "none", why: isWrong ? "WRONG_PRODUCT" : "NO_PRESCRIPTION" };
  }
  const [first = now] = fillDemand(demand, now, addDays(now, HORIZON_DAYS, timeZone));
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

/** Null: nothing is to be given under it. */
function sort(
  prescription: Prescription,
  inFlight: readonly InFlight[],
  now: Date,
  timeZone: string,
  atPharmacy: AtPharmacy | undefined,
): Sorted | null {
  const { id, fillsAllowed, fillsDispensed, daysSupply } = prescription;
  const leftAtPharmacy = atPharmacy?.left ?? Infinity;
  const onRecordAt = dispensedAt(prescription, now, timeZone);
  // One that was placed before the latest fill was handed over is on record: its parcel's news can be the later one.
  const placed = inFlight.filter((one) =>
    one.prescriptionId === id && (!onRecordAt || one.placedAt > onRecordAt)
  ).map(({ placedAt }) => placedAt);
  const used = fillsDispensed === null ? null : fillsDispensed + placed.length;
  const usedAtPharmacy = (fillsAllowed ?? 0) - leftAtPharmacy;
  // The pharmacy handed out what is not on record yet: nobody knows when, so nobody knows until when that drug lasts.
  const isBehind = fillsAllowed !== null && used !== null && usedAtPharmacy > used;
  const lastUsedAt = isBehind ? null : latest([...placed, onRecordAt]);
  const runsOutOn = lastUsedAt && daysSupply !== null ? addDays(lastUsedAt, daysSupply, timeZone) : null;
  const validUntil = earlierEnd(prescription, atPharmacy, timeZone);
  const standing = standingOf(
    { ...prescription, validUntil, fillsDispensed: isBehind ? usedAtPharmacy : used },
    now,
    timeZone,
    NEEDED_TO_PLAN,
  );
  const expiresOn = endOf(validUntil, timeZone);
  const dates = { lastFillOn: lastUsedAt, expiresOn, runsOutOn };
  const expired = { spent: "EXPIRED", id, endedOn: expiresOn, ...dates } as const;
  const usedUp = { spent: "NO_FILLS_LEFT", id, endedOn: runsOutOn, ...dates } as const;
  switch (standing.kind) {
    case "expired":
      return expired;
    case "used up":
      return usedUp;
    // No fill is left of what the health record calls completed.
    case "completed":
      return standing.dates.kind === "expired" ? expired : usedUp;
    case "unknown status":
      return { unclear: "its status", id };
    case "valid":
    case "unclear":
      return asUsable(standing, id, daysSupply, lastUsedAt);
    case "not yet valid":
      return asUsable(standing.then, id, daysSupply, lastUsedAt);
    default:
      return null;
  }
}

function asUsable(terms: Terms, id: string, daysSupply: number | null, lastUsedAt: Date | null): Sorted {
  if (terms.kind === "unclear") return { unclear: terms.what, id };
  if (daysSupply === null) return { unclear: "the days' supply", id };
  return {
    usable: { id, from: terms.from, until: terms.until, left: terms.fillsLeft, daysSupply, lastUsedAt },
  };
}

/** The earlier last day of the two copies. The health record is the owner: an end that it lacks is not made up. */
function earlierEnd(
  { validUntil }: Prescription,
  atPharmacy: AtPharmacy | undefined,
  timeZone: string,
): RecordedDate | null {
  const [onRecord, day] = [endOf(validUntil, timeZone), atPharmacy?.lastDay];
  return onRecord && day && endOfDay(day, timeZone) < onRecord
    ? { kind: "days", first: day, last: day }
    : validUntil;
}

/** A prescription dated today begins when the pharmacy's day does; an order that waits for that is no gap. */
const FILL_MAY_WAIT_DAYS = 1;

/** Uses up the fills as they will be asked for, the prescription that expires first at the head. */
function plan(usable: Usable[], demand: Demand, now: Date, timeZone: string): Coverage {
  const queue = usable.toSorted((a, b) => a.until.getTime() - b.until.getTime())
    .map((one) => ({ ...one }));
  const horizon = addDays(now, HORIZON_DAYS, timeZone);
  let last: { by: Usable; on: Date } | null = null;
  let firstUncovered: Date | null = null;
  for (const day of fillDemand(demand, now, horizon)) {
    const latestStart = addDays(day, FILL_MAY_WAIT_DAYS, timeZone);
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
    ? addDays(last.on, last.by.daysSupply, timeZone)
    : by.lastUsedAt && addDays(by.lastUsedAt, by.daysSupply, timeZone);
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
 * When the last fill was handed over. A day ahead of us is a slip of the pen: the fill is used all the same, and lasts no
 * longer than from now on.
 */
function dispensedAt({ lastDispensedOn }: Prescription, now: Date, timeZone: string): Date | null {
  const on = startOf(lastDispensedOn, timeZone);
  return on && (on < now ? on : now);
}

function latest(dates: readonly (Date | null)[]): Date | null {
  const times = dates.flatMap((date) => date ? [date.getTime()] : []);
  return times.length > 0 ? new Date(Math.max(...times)) : null;
}
