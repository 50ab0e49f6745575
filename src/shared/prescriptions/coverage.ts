import { addDays, type Day, endOfDay } from "../day.ts";
import type { Prescription, RecordedDate } from "../vendors/health.ts";
import { isFor } from "./by-product.ts";
import { endOf, startOf } from "./dates.ts";
import { type Demand, fillDemand } from "./demand.ts";
import { type Need, standingOf, type Terms } from "./standing.ts";

/** Longer than any lead time and any usual prescription. */
const HORIZON_DAYS = 400;

/** A fill at the pharmacy that the health record has not counted yet. */
export interface InFlight {
  prescriptionId: string;
  /** When the pharmacy got the order. */
  placedAt: Date;
}

/** The pharmacy's copy of a prescription. Null: the copy does not say. */
export interface AtPharmacy {
  /** All fills, the first one included. */
  allowed: number | null;
  /** Fills left. */
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
    /** The day of the last fill. Null: the prescription expires before a fill is asked for. */
    lastFillOn: Date | null;
    /** The last moment at which any of them may be filled. */
    expiresOn: Date;
    /** When the drug of the last fill is used up. */
    runsOutOn: Date | null;
    /** The first refill that cannot be filled. Null: beyond the horizon. */
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
  kind: "usable";
  id: string;
  from: Date | null;
  until: Date;
  left: number;
  daysSupply: number;
  lastUsedAt: Date | null;
}
type Unclear = Extract<Coverage, { kind: "unclear" }>;
type Spent = Omit<Extract<Coverage, { kind: "spent" }>, "dueOn">;

const NEEDED_TO_FORECAST: readonly Need[] = [
  "the last day it is valid",
  "the number of fills",
  "the days' supply",
  "the first day it is valid",
  "the prescription of a recorded fill",
];

/**
 * @param codes the product's RxNorm codes
 * @param inFlight orders at the pharmacy whose fill the health record has not counted yet
 * @param atPharmacy the pharmacy's copies by the prescription's id, where it was asked: it fills by its own copy
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
  const judged = forProduct.flatMap((one) =>
    judge(one, inFlight, now, timeZone, atPharmacy.get(one.id)) ?? []
  );
  const usable = judged.filter((one) => one.kind === "usable");
  if (usable.length > 0) return forecast(usable, demand, now, timeZone);
  const unclear = judged.find((one) => one.kind === "unclear");
  if (unclear) return unclear;
  const kinds = prescriptions.map((one) => ({ id: one.id, kind: standingOf(one, now, timeZone).kind }));
  const unreadable = kinds.find(({ kind }) => kind === "unreadable");
  if (unreadable) return { kind: "unclear", prescriptionId: unreadable.id, what: "its drug" };
  // The end of one whose last fill is not on record yet is unknown: it ended after all others.
  const [spent] = judged.filter((one) => one.kind === "spent")
    .sort((a, b) => endedAt(b) - endedAt(a));
  if (!spent) {
    const isWrong = forProduct.length === 0 && kinds.some(({ kind }) => kind !== "no order");
    return { kind: "none", why: isWrong ? "WRONG_PRODUCT" : "NO_PRESCRIPTION" };
  }
  const [first = now] = fillDemand(demand, now, addDays(now, HORIZON_DAYS, timeZone));
  const ended = endedOn(spent);
  return { ...spent, dueOn: ended && ended < first ? ended : first };
}

function endedOn({ cause, expiresOn, runsOutOn }: Spent): Date | null {
  return cause === "EXPIRED" ? expiresOn : runsOutOn;
}

function endedAt(spent: Spent): number {
  return endedOn(spent)?.getTime() ?? Number.MAX_SAFE_INTEGER;
}

/** Null: nothing is to be given under it. */
function judge(
  prescription: Prescription,
  inFlight: readonly InFlight[],
  now: Date,
  timeZone: string,
  atPharmacy: AtPharmacy | undefined,
): Usable | Unclear | Spent | null {
  const { id: prescriptionId, fillsAllowed, fillsDispensed, daysSupply } = prescription;
  const dispensedOn = startOf(prescription.lastDispensedOn, timeZone);
  // A day in the future is a slip of the pen: the fill counts, and its drug lasts from now on at most.
  const onRecordAt = dispensedOn && (dispensedOn < now ? dispensedOn : now);
  // An order placed before the latest recorded fill is on record: news of its parcel can come later.
  const placed = inFlight.filter((one) =>
    one.prescriptionId === prescriptionId && (!onRecordAt || one.placedAt > onRecordAt)
  ).map(({ placedAt }) => placedAt);
  const used = fillsDispensed === null ? null : fillsDispensed + placed.length;
  const usedAtPharmacy = (fillsAllowed ?? 0) - (atPharmacy?.left ?? Infinity);
  // The pharmacy handed out a fill that is not on record: its day is unknown, and so is the day its drug runs out.
  const isBehind = fillsAllowed !== null && used !== null && usedAtPharmacy > used;
  const lastUsedAt = isBehind ? null : latest([...placed, onRecordAt]);
  const runsOutOn = lastUsedAt && daysSupply !== null ? addDays(lastUsedAt, daysSupply, timeZone) : null;
  const validUntil = earlierEnd(prescription, atPharmacy, timeZone);
  const standing = standingOf(
    { ...prescription, validUntil, fillsDispensed: isBehind ? usedAtPharmacy : used },
    now,
    timeZone,
    NEEDED_TO_FORECAST,
  );
  const expiresOn = endOf(validUntil, timeZone);
  const spent = (cause: Spent["cause"]): Spent => ({
    kind: "spent",
    prescriptionId,
    cause,
    lastFillOn: lastUsedAt,
    expiresOn,
    runsOutOn,
  });
  const unclear = (what: string): Unclear => ({ kind: "unclear", prescriptionId, what });
  const usable = (terms: Terms): Usable | Unclear => {
    if (terms.kind === "unclear") return unclear(terms.what);
    if (daysSupply === null) return unclear("the days' supply");
    const { from, until, fillsLeft: left } = terms;
    return { kind: "usable", id: prescriptionId, from, until, left, daysSupply, lastUsedAt };
  };
  switch (standing.kind) {
    case "expired":
      return spent("EXPIRED");
    case "used up":
      return spent("NO_FILLS_LEFT");
    // A prescription that the health record calls completed has no fill left.
    case "completed":
      return spent(standing.dates.kind === "expired" ? "EXPIRED" : "NO_FILLS_LEFT");
    case "unknown status":
      return unclear("its status");
    case "valid":
    case "unclear":
      return usable(standing);
    case "not yet valid":
      return usable(standing.then);
    default:
      return null;
  }
}

/** The earlier last day of the two copies. An end that the health record, the owner, lacks is not made up. */
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

/** Uses up the fills in the order of the demand, those of the prescription that expires first at the head. */
function forecast(usable: readonly Usable[], demand: Demand, now: Date, timeZone: string): Coverage {
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
  // The coverage ends by a prescription that expires with fills left, or else by the last fill.
  const lastOn = last?.on ?? now;
  const [expiring] = queue
    .filter((one) => one.left > 0 && one.until >= lastOn && (!firstUncovered || one.until < firstUncovered))
    .toSorted((a, b) => b.until.getTime() - a.until.getTime());
  const by = expiring ?? last?.by ?? queue[0];
  if (!by) throw new Error("a forecast needs a prescription");
  const runsOutOn = last
    ? addDays(last.on, last.by.daysSupply, timeZone)
    : by.lastUsedAt && addDays(by.lastUsedAt, by.daysSupply, timeZone);
  // A drug that ran out in the past with fills left ran out in a pause: the customer asked for none.
  const isForWantOfFills = last !== null || (runsOutOn !== null && runsOutOn > now);
  const ends = timesOf([
    firstUncovered,
    expiring?.until ?? null,
    firstUncovered && isForWantOfFills ? runsOutOn : null,
  ]);
  return {
    kind: "covered",
    prescriptionId: by.id,
    cause: expiring ? "EXPIRES" : "RUNS_OUT",
    lastFillOn: last?.on ?? null,
    expiresOn: latest(queue.map(({ until }) => until)) ?? by.until,
    runsOutOn,
    firstUncovered,
    dueOn: ends.length > 0 ? new Date(Math.max(Math.min(...ends), now.getTime())) : horizon,
    others: usable.length - 1,
  };
}

function latest(dates: readonly (Date | null)[]): Date | null {
  const times = timesOf(dates);
  return times.length > 0 ? new Date(Math.max(...times)) : null;
}

function timesOf(dates: readonly (Date | null)[]): number[] {
  return dates.flatMap((date) => date?.getTime() ?? []);
}
