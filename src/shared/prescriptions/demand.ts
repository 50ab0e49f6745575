import { DAY_MS } from "../day.ts";
import type { StripeSubscriptionItem } from "../vendors/stripe/client.ts";

/** The fills that a subscription's item will ask for. */
export interface Demand {
  /** The due days of fills that are paid for and not yet at the pharmacy. */
  waiting: readonly Date[];
  nextCharge: Date;
  interval: "day" | "week" | "month" | "year";
  intervalCount: number;
  fillsPerCharge: number;
}

/** The days on which a fill will be asked for, in order, up to `until`. Nothing is asked for before `now`. */
export function* fillDemand(demand: Demand, now: Date, until: Date): Generator<Date> {
  const notBefore = (day: Date) => (day < now ? now : day);
  yield* demand.waiting.map(notBefore).toSorted((a, b) => a.getTime() - b.getTime());
  for (let charge = 0;; charge++) {
    const start = addIntervals(demand, charge);
    const length = addIntervals(demand, charge + 1).getTime() - start.getTime();
    for (let fill = 0; fill < demand.fillsPerCharge; fill++) {
      const day = new Date(start.getTime() + Math.round((length * fill) / demand.fillsPerCharge));
      if (day > until) return;
      yield notBefore(day);
    }
    if (demand.fillsPerCharge === 0 || start > until) return;
  }
}

/** Stripe bills at least every three years. */
const LONGEST_INTERVAL = { day: 1096, week: 156, month: 36, year: 3 } as const;

/** A charge for more fills is a slip of the pen. */
const MOST_FILLS_PER_CHARGE = 100;

/**
 * The demand of an item, or why it is unclear, as a clause.
 * @param fillsPerUnit fills that one charge of one unit pays for
 * @param waiting the due days of fills that are paid for
 */
export function demandOf(
  { interval, intervalCount, periodEnd, quantity }: StripeSubscriptionItem,
  fillsPerUnit: number,
  waiting: readonly Date[],
): Demand | { unclear: string } {
  if (interval === null || intervalCount === null) return { unclear: "its price has no interval" };
  if (!isCount(intervalCount, LONGEST_INTERVAL[interval])) {
    return { unclear: `its price bills every ${intervalCount} ${interval}s` };
  }
  if (Number.isNaN(periodEnd.getTime())) return { unclear: "it has no next charge" };
  if (quantity === null) return { unclear: "its price is metered, so it has no quantity" };
  const fillsPerCharge = fillsPerUnit * quantity;
  if (!isCount(fillsPerCharge, MOST_FILLS_PER_CHARGE)) return { unclear: `its quantity is ${quantity}` };
  return { waiting, nextCharge: periodEnd, interval, intervalCount, fillsPerCharge };
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= most;
}

/** The demand with one more charge's fills on that day. */
export function withFillsOn(day: Date, demand: Demand): Demand {
  const fills = Array.from({ length: demand.fillsPerCharge }, () => day);
  return { ...demand, waiting: [...demand.waiting, ...fills] };
}

/** The end of the period that the next charge pays for. */
export function endOfNextPeriod(demand: Demand): Date {
  return addIntervals(demand, 1);
}

/**
 * `count` billing intervals after the next charge. In UTC, as Stripe bills: a month that is too short ends on its last
 * day.
 */
function addIntervals({ nextCharge, interval, intervalCount }: Demand, count: number): Date {
  if (interval === "day" || interval === "week") {
    const days = (interval === "week" ? 7 : 1) * intervalCount * count;
    return new Date(nextCharge.getTime() + days * DAY_MS);
  }
  const months = (interval === "year" ? 12 : 1) * intervalCount * count;
  const moved = new Date(nextCharge);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(nextCharge.getUTCDate(), lastDay));
  return moved;
}
