import { DAY_MS } from "../day.ts";
import type { Prescription } from "../vendors/health.ts";
import { startOf } from "./dates.ts";
import { type Need, NEEDED_TO_FILL, type Standing, standingOf } from "./standing.ts";

/** A prescription older than this when we hear of it begins nothing by itself. */
export const FIRST_WITHIN_DAYS = 30;

/** What a customer's orders for one product say about beginning a subscription. */
export type FirstVerdict =
  /** One can be filled now; `notFirst` says why it may not be the first. */
  | { kind: "valid"; prescriptionId: string; notFirst: string | null }
  /** One will be valid from a day on. */
  | { kind: "later"; prescriptionId: string; from: Date }
  /** One might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; prescriptionId: string; what: string }
  | { kind: "none" };

/** Without the days' supply nobody could tell when the next fill is due. */
const NEEDED_TO_BEGIN: readonly Need[] = [...NEEDED_TO_FILL, "the days' supply"];

interface Judged {
  prescription: Prescription;
  standing: Standing;
  /** When it was written, in milliseconds. An unknown day counts as long ago. */
  writtenAt: number;
}

/**
 * Whether a subscription may begin on these orders for one product. One that was cancelled and written anew the same
 * day is still the first; one that was filled, or is older than {@link FIRST_WITHIN_DAYS}, is not.
 * @param heardAt when we were asked: age counts up to then, however late the answer is acted on
 */
export function judgeFirst(
  orders: readonly Prescription[],
  now: Date,
  timeZone: string,
  heardAt: Date,
): FirstVerdict {
  const judged = orders.map((prescription): Judged => ({
    prescription,
    standing: standingOf(prescription, now, timeZone, NEEDED_TO_BEGIN),
    writtenAt: startOf(prescription.writtenOn, timeZone)?.getTime() ?? -Infinity,
  })).sort((a, b) => b.writtenAt - a.writtenAt);
  const newest = judged.find(({ standing }) => standing.kind === "valid");
  if (newest) {
    const { id } = newest.prescription;
    return { kind: "valid", prescriptionId: id, notFirst: whyNotFirst(id, judged, heardAt) };
  }
  for (const { prescription: { id }, standing } of judged) {
    const what = whatIsUnclear(standing);
    if (what !== null) return { kind: "unclear", prescriptionId: id, what };
  }
  const [soonest] = judged
    .flatMap(({ prescription: { id }, standing }) =>
      standing.kind === "not yet valid" ? [{ prescriptionId: id, from: standing.from }] : []
    )
    .sort((a, b) => a.from.getTime() - b.from.getTime());
  return soonest ? { kind: "later", ...soonest } : { kind: "none" };
}

function whatIsUnclear(standing: Standing): string | null {
  if (standing.kind === "unclear") return standing.what;
  return standing.kind === "unknown status" || standing.kind === "unreadable" ? "its status" : null;
}

function whyNotFirst(id: string, judged: readonly Judged[], heardAt: Date): string | null {
  const written = judged.filter(({ standing }) => standing.kind !== "never written");
  if (written.some(({ prescription }) => (prescription.fillsDispensed ?? 0) > 0)) {
    return "it was filled before";
  }
  if (written.some(({ writtenAt }) => writtenAt === -Infinity)) {
    return "nobody can tell when it was first written";
  }
  const oldest = Math.min(...written.map(({ writtenAt }) => writtenAt));
  if (oldest >= heardAt.getTime() - FIRST_WITHIN_DAYS * DAY_MS) return null;
  return written.some(({ prescription, writtenAt }) => prescription.id === id && writtenAt === oldest)
    ? `it was written more than ${FIRST_WITHIN_DAYS} days before we heard of it`
    : `an earlier one was written more than ${FIRST_WITHIN_DAYS} days ago`;
}
