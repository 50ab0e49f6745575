import { DAY_MS } from "../../day.ts";
import type { StripeInterval } from "./types.ts";

/** A price's interval where it has one. */
interface BillingInterval {
  interval: NonNullable<StripeInterval["interval"]>;
  intervalCount: number;
}

/**
 * So many billing intervals after a moment, or before it where `count` is negative. In UTC, as Stripe bills: a month that is
 * too short ends on its last day.
 */
export function addIntervals(at: Date, { interval, intervalCount }: BillingInterval, count: number): Date {
  if (interval === "day" || interval === "week") {
    const days = (interval === "week" ? 7 : 1) * intervalCount * count;
    return new Date(at.getTime() + days * DAY_MS);
  }
  const months = (interval === "year" ? 12 : 1) * intervalCount * count;
  const moved = new Date(at);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(at.getUTCDate(), lastDay));
  return moved;
}
