import type { ReasonCode } from "../queue/reasons.ts";
import type { PriceKey } from "../registry/products.ts";
import type { StripeInvoice, StripeInvoiceLine, StripePrice } from "../vendors/stripe/client.ts";
import { addIntervals } from "../vendors/stripe/intervals.ts";
import { fillDays } from "./fills.ts";

/** A line of a paid invoice with its price. */
export interface PricedLine {
  line: StripeInvoiceLine;
  price: StripePrice;
  key: PriceKey;
}

/** A person decides whether the line ships. A question about a price is asked once, and its answer holds for each line. */
export interface LineQuestion {
  case: keyof typeof LINE_QUESTIONS;
  /** The due days of its fills, if a person says so. */
  days: readonly Date[];
}

/** The due days of the fills that a line pays for, or the question about it. */
export type PaidFor = { days: readonly Date[] } | LineQuestion;

/** The reason of each question, and whether it is about the price. */
export const LINE_QUESTIONS = {
  SWITCHED: { code: "SWITCHED_LINE", isOfPrice: false },
  ONE_OFF: { code: "ONE_OFF_LINE", isOfPrice: false },
  STUB: { code: "STUB_LINE", isOfPrice: false },
  METERED: { code: "METERED_LINE", isOfPrice: true },
  FREE: { code: "FREE_LINE", isOfPrice: true },
} as const satisfies Record<string, { code: ReasonCode; isOfPrice: boolean }>;

const NOTHING: PaidFor = { days: [] };

/**
 * What a line of a paid invoice pays for, however it was paid.
 * @param others the invoice's lines with their prices
 */
export function paidForBy(one: PricedLine, invoice: StripeInvoice, others: readonly PricedLine[]): PaidFor {
  const { line, price, key } = one;
  if (key.fillsPerCharge === 0 || line.amount < 0 || line.quantity === 0) return NOTHING;
  const days = fillDays(line, key.fillsPerCharge * (line.quantity ?? 1));
  if (price.isMetered || price.amount === null || line.quantity === null) return { case: "METERED", days };
  if (line.amount === 0) return ofNothing(one, days);
  if (!line.isSubscriptionLine) {
    return key.oneOff === "ship" ? { days } : { case: "ONE_OFF", days };
  }
  if (!line.proration) return { days };
  return invoice.billingReason === "subscription_create" ? ofStub(one, days) : ofSwitch(one, others);
}

/** A trial charges nothing for a price that costs something. A free price ships where its key says so. */
function ofNothing({ price, key }: PricedLine, days: readonly Date[]): PaidFor {
  if (price.amount !== 0 || key.shipsFree === false) return NOTHING;
  return key.shipsFree ? { days } : { case: "FREE", days };
}

/** The time up to a billing date that was chosen pays for its fills if it lasts half an interval. */
function ofStub({ line, price }: PricedLine, days: readonly Date[]): PaidFor {
  const start = startOfPeriod(line.periodEnd, price);
  const isLong = start !== null &&
    2 * (line.periodEnd.getTime() - line.periodStart.getTime()) >= line.periodEnd.getTime() - start.getTime();
  return isLong ? { days } : { case: "STUB", days };
}

/**
 * The rest of a period for another price. Of the same product, the fills of the former line go on. Of another, it pays
 * for the slots of its own period that begin in that rest.
 */
function ofSwitch({ line, price, key }: PricedLine, others: readonly PricedLine[]): PaidFor {
  const credited = others.filter((other) =>
    other.line.amount < 0 && other.line.proration && other.line.subscriptionId === line.subscriptionId &&
    other.line.periodStart.getTime() === line.periodStart.getTime() && other.key.productId === key.productId
  );
  const units = credited.reduce((sum, other) => Math.max(sum, other.line.quantity ?? 0), 0);
  if (credited.length > 0) return (line.quantity ?? 0) <= units ? NOTHING : onSwitch(key, line);
  const start = startOfPeriod(line.periodEnd, price);
  const days = start === null
    ? []
    : fillDays({ periodStart: start, periodEnd: line.periodEnd }, key.fillsPerCharge * (line.quantity ?? 1))
      .filter((day) => day >= line.periodStart);
  return days.length > 0 ? { days } : onSwitch(key, line);
}

function onSwitch({ onSwitch }: PriceKey, { periodStart }: StripeInvoiceLine): PaidFor {
  const days = [periodStart];
  if (onSwitch === "ship_now") return { days };
  return onSwitch === "with_next" ? NOTHING : { case: "SWITCHED", days };
}

/** The begin of the price's whole period that ends then; null for a price without an interval. */
function startOfPeriod(end: Date, { interval, intervalCount }: StripePrice): Date | null {
  return interval === null || intervalCount === null
    ? null
    : addIntervals(end, { interval, intervalCount }, -1);
}
