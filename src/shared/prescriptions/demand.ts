import type { StripeSubscriptionItem } from "../vendors/stripe/client.ts";
import { addIntervals } from "../vendors/stripe/intervals.ts";

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
    const start = addIntervals(demand.nextCharge, demand, charge);
    const length = addIntervals(demand.nextCharge, demand, charge + 1).getTime() - start.getTime();
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
  return addIntervals(demand.nextCharge, demand, 1);
}
