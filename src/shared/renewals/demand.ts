/** How a subscription's item will ask for fills. */
export interface Demand {
  /** Fills that are paid for and not yet at the pharmacy: the days they are due. */
  waiting: readonly Date[];
  /** The next charge. */
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

const DAY_MS = 86_400_000;
const DAYS: Readonly<Record<"day" | "week", number>> = { day: 1, week: 7 };

/** `count` billing intervals later. A month that is too short ends on its last day, as Stripe bills it. */
function addIntervals(from: Date, { interval, intervalCount }: Demand, count: number): Date {
  if (interval === "day" || interval === "week") {
    return new Date(from.getTime() + DAYS[interval] * intervalCount * count * DAY_MS);
  }
  const months = (interval === "year" ? 12 : 1) * intervalCount * count;
  const moved = new Date(from);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(from.getUTCDate(), lastDay));
  return moved;
}
