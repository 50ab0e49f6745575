import { DAY_MS } from "../day.ts";
import type { Prescription } from "../vendors/health.ts";
import { startOf } from "./dates.ts";
import { type Need, NEEDED_TO_FILL, type Standing, standingOf } from "./standing.ts";

/** Days after which a prescription that we hear of begins nothing by itself. */
export const FIRST_WITHIN_DAYS = 30;

/** Whether a subscription may begin on a customer's orders for one product. */
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
  id: string;
  standing: Standing;
  wasFilled: boolean;
  /** When it was written, in milliseconds. An unknown day counts as long ago. */
  writtenAt: number;
}

/**
 * Whether a subscription may begin on these orders for one product. A prescription that was cancelled and written anew
 * the same day is still the first; one that was filled, or is older than {@link FIRST_WITHIN_DAYS}, is not.
 * @param heardAt when the task was made: age counts up to then, however late the task runs
 */
export function judgeFirst(
  orders: readonly Prescription[],
  now: Date,
  timeZone: string,
  heardAt: Date,
): FirstVerdict {
  const judged = orders.map((prescription): Judged => ({
    id: prescription.id,
    standing: standingOf(prescription, now, timeZone, NEEDED_TO_BEGIN),
    wasFilled: (prescription.fillsDispensed ?? 0) > 0,
    writtenAt: startOf(prescription.writtenOn, timeZone)?.getTime() ?? -Infinity,
  })).sort((a, b) => b.writtenAt - a.writtenAt);
  const newest = judged.find(({ standing }) => standing.kind === "valid");
  if (newest) {
    return { kind: "valid", prescriptionId: newest.id, notFirst: whyNotFirst(newest, judged, heardAt) };
  }
  for (const { id: prescriptionId, standing } of judged) {
    if (standing.kind === "unclear") return { kind: "unclear", prescriptionId, what: standing.what };
    if (standing.kind === "unknown status" || standing.kind === "unreadable") {
      return { kind: "unclear", prescriptionId, what: "its status" };
    }
  }
  const [soonest] = judged
    .flatMap(({ id: prescriptionId, standing }) =>
      standing.kind === "not yet valid" ? [{ prescriptionId, from: standing.from }] : []
    )
    .sort((a, b) => a.from.getTime() - b.from.getTime());
  return soonest ? { kind: "later", ...soonest } : { kind: "none" };
}

function whyNotFirst(newest: Judged, judged: readonly Judged[], heardAt: Date): string | null {
  const written = judged.filter(({ standing }) => standing.kind !== "never written");
  if (written.some(({ wasFilled }) => wasFilled)) return "it was filled before";
  const oldest = Math.min(...written.map(({ writtenAt }) => writtenAt));
  if (oldest === -Infinity) return "nobody can tell when it was first written";
  if (oldest >= heardAt.getTime() - FIRST_WITHIN_DAYS * DAY_MS) return null;
  return newest.writtenAt === oldest
    ? `it was written more than ${FIRST_WITHIN_DAYS} days before we heard of it`
    : `an earlier one was written more than ${FIRST_WITHIN_DAYS} days ago`;
}
