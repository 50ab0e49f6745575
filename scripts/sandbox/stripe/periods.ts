import type { Interval } from "./objects.ts";

const DAY_SECONDS = 86_400;

/**
 * The end of the period that starts at `start`. Months are counted from the anchor, so that a subscription
 * begun on the 31st renews on the last day of a short month and on the 31st again after it. Epoch seconds, UTC.
 */
export function periodEnd(anchor: number, start: number, interval: Interval, count: number): number {
  switch (interval) {
    case "day":
      return start + count * DAY_SECONDS;
    case "week":
      return start + count * 7 * DAY_SECONDS;
    case "month":
      return addMonths(anchor, monthsBetween(anchor, start) + count);
    case "year":
      return addMonths(anchor, monthsBetween(anchor, start) + 12 * count);
  }
}

function monthsBetween(from: number, to: number): number {
  const [a, b] = [new Date(from * 1000), new Date(to * 1000)];
  return (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
}

function addMonths(from: number, months: number): number {
  const date = new Date(from * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, lastDay));
  return date.getTime() / 1000;
}

/** The period around a moment, counted from an anchor before or after it. */
export function periodAround(
  anchor: number,
  at: number,
  interval: Interval,
  count: number,
): { start: number; end: number } {
  let start = anchor;
  while (start > at) start = periodEnd(anchor, start, interval, -count);
  let end = periodEnd(anchor, start, interval, count);
  while (end <= at) [start, end] = [end, periodEnd(anchor, end, interval, count)];
  return { start, end };
}
