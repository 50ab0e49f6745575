import { dayIn } from "../day.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import type { StripeInvoiceLine } from "../vendors/stripe/client.ts";

/** When a fill's order is placed, with the reason of a later day. */
export function notBefore(fillOn: Date, now: Date, timeZone: string): { runAfter: Date; why?: Reason } {
  return fillOn > now ? { runAfter: fillOn, why: notDueYet(fillOn, timeZone) } : { runAfter: fillOn };
}

/** @param timeZone the pharmacy's */
export function notDueYet(fillOn: Date, timeZone: string): Reason {
  return reason("NOT_DUE_YET", { day: dayIn(fillOn, timeZone) });
}

/**
 * The days on which the fills of a line are due: spread evenly over the period that it pays for, the first at its start.
 * Three fills of a quarter are a month apart: the pharmacy would refuse all three at once as too early.
 */
export function fillDays(line: Pick<StripeInvoiceLine, "periodStart" | "periodEnd">, fills: number): Date[] {
  const start = line.periodStart.getTime();
  const length = line.periodEnd.getTime() - start;
  return Array.from({ length: fills }, (_, index) => new Date(start + Math.round((length * index) / fills)));
}
