import { itemAmount } from "./amounts.ts";
import { itemLine, periodLine, trialLine } from "./lines.ts";
import type { Subscription, SubscriptionItem } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import { share } from "./prorations.ts";
import type { NewLine, StripeState } from "./state.ts";

/**
 * The lines of a subscription's first invoice; none where nothing is due. A first period that is cut short by the anchor
 * is charged by its share of a whole one, unless `prorates` is false: then it is free, without an invoice. Time before
 * today is charged in one line by `classic`, and period by period by `flexible`.
 * Sources: "Set the subscription billing renewal date", "Backdate subscriptions".
 */
export function firstLines(state: StripeState, subscription: Subscription, prorates: boolean): NewLine[] {
  const { items, start_date: start, created: now, status, billing_mode: { type } } = subscription;
  if (status === "trialing") return items.data.map((item) => trialLine(state, item));
  const charged = items.data.filter((item) => item.price.recurring.usage_type === "licensed");
  if (start < now) {
    if (!prorates) return [];
    return charged.flatMap((item) =>
      type === "classic" ? wholeLine(state, item, start) : pastLines(state, item, start)
    );
  }
  return charged.flatMap((item) => {
    const line = stubLine(state, item);
    return line === null ? [periodLine(state, item)] : prorates ? [line] : [];
  });
}

/** The prorated line of a period that is shorter than its price's interval; null for a whole one. */
export function stubLine(state: StripeState, item: SubscriptionItem): NewLine | null {
  const { current_period_start: start, current_period_end: end } = item;
  const natural = naturalEnd(item, start);
  if (end >= natural) return null;
  const amount = share(itemAmount(state, item), { start, end }, { start, end: natural });
  return itemLine(item, { period: { start, end }, amount, proration: true });
}

function naturalEnd({ price: { recurring } }: SubscriptionItem, start: number): number {
  return periodEnd(start, start, recurring.interval, recurring.interval_count);
}

/** One line from the first day to the end of the running period, counted in intervals from that day on. */
function wholeLine(state: StripeState, item: SubscriptionItem, first: number): NewLine {
  const { current_period_end: end, price: { recurring: { interval, interval_count } } } = item;
  let amount = 0;
  let start = first;
  while (start < end) {
    const natural = periodEnd(first, start, interval, interval_count);
    const part = { start, end: Math.min(natural, end) };
    amount += share(itemAmount(state, item), part, { start, end: natural });
    start = natural;
  }
  return itemLine(item, { period: { start: first, end }, amount, proration: true });
}

/** A line for each period since the first day, as if it had been billed in its time. */
function pastLines(state: StripeState, item: SubscriptionItem, first: number): NewLine[] {
  const { current_period_start, current_period_end, price: { recurring } } = item;
  const lines: NewLine[] = [];
  let start = first;
  while (start < current_period_end) {
    const natural = periodEnd(first, start, recurring.interval, recurring.interval_count);
    const end = start < current_period_start ? Math.min(natural, current_period_start) : current_period_end;
    const part = { ...item, current_period_start: start, current_period_end: end };
    lines.push(stubLine(state, part) ?? periodLine(state, part));
    start = end;
  }
  return lines;
}
