import { addInvoiceItem } from "./invoice-items.ts";
import type { Account } from "./account.ts";
import { attemptPayment, draftInvoice, finalizeInvoice } from "./invoicing.ts";
import { amountOf, itemAmount } from "./amounts.ts";
import { invalidRequest, need } from "./errors.ts";
import { itemLine, pricingOf } from "./lines.ts";
import type { Customer, Interval, Invoice, Subscription } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { NewLine } from "./state.ts";
import { bill } from "./subscriptions.ts";

/** A position of an invoice: units of a price, or a bare amount in cents. */
export interface OneOff {
  priceId?: string;
  quantity?: number;
  amount?: number;
}

/** An invoice that no subscription made, paid at once unless its charge fails. Source: "Invoices", `billing_reason`. */
export function invoiceCustomer(
  account: Account,
  customer: Customer,
  positions: OneOff[],
  succeeds = true,
): Invoice {
  const { state } = account;
  const now = state.nowSeconds();
  for (const { priceId, quantity = 1, amount = 0 } of positions) {
    const price = priceId === undefined ? null : need(state.prices, "price", priceId, "pricing[price]");
    addInvoiceItem(account, {
      amount: price ? amountOf(state, price, quantity) : amount,
      customer: customer.id,
      parent: null,
      period: { start: now, end: now },
      pricing: price && pricingOf(price),
      quantity,
    });
  }
  const invoice = draftInvoice(account, customer, "manual", []);
  finalizeInvoice(account, invoice);
  attemptPayment(account, invoice, succeeds);
  return invoice;
}

/**
 * Bills the periods up to `until` now, each on a line of its own; those periods make no invoice when they begin. Only
 * whole periods, of the items with these prices or of all. Source: "Bill customers in advance".
 */
export function prebill(
  account: Account,
  subscription: Subscription,
  { until, priceIds }: { until: number; priceIds?: string[] },
): Invoice {
  const { state, events } = account;
  if (subscription.billing_mode.type === "classic" || subscription.schedule !== null) {
    throw invalidRequest("Prebilling needs flexible billing mode, and no schedule.");
  }
  const lines: NewLine[] = [];
  for (const item of subscription.items.data) {
    const { price, current_period_end } = item;
    const { interval, interval_count, usage_type } = price.recurring;
    if (usage_type === "metered" || (priceIds && !priceIds.includes(price.id))) continue;
    let start = item.billed_until ?? current_period_end;
    for (;;) {
      const end = periodEnd(subscription.billing_cycle_anchor, start, interval, interval_count);
      if (end > until) break;
      lines.push(itemLine(item, { period: { start, end }, amount: itemAmount(state, item) }));
      start = end;
    }
    item.billed_until = start;
  }
  if (lines.length === 0) {
    throw invalidRequest("No whole period ends by then.", { param: "billing_schedules" });
  }
  subscription.billing_schedules.push({
    applies_to: priceIds ? priceIds.map((price) => ({ price, type: "price" })) : null,
    bill_until: { computed_timestamp: until, duration: null, timestamp: until, type: "timestamp" },
    key: state.newId("bs_", 14),
  });
  events.emit("customer.subscription.updated", subscription);
  return bill(account, subscription, "subscription_update", lines);
}

/** How often pending items are billed between the periods; null is with the next period, Stripe's default. */
export function setPendingInterval(
  account: Account,
  subscription: Subscription,
  every: { interval: Interval; count: number } | null,
): Subscription {
  const { pending_invoice_item_interval, next_pending_invoice_item_invoice } = subscription;
  subscription.pending_invoice_item_interval = every &&
    { interval: every.interval, interval_count: every.count };
  subscription.next_pending_invoice_item_invoice = nextPending(account, subscription);
  account.events.emit("customer.subscription.updated", subscription, {
    pending_invoice_item_interval,
    next_pending_invoice_item_invoice,
  });
  return subscription;
}

/** The time of `next_pending_invoice_item_invoice` has come. */
export function billPending(account: Account, subscription: Subscription): Invoice {
  if (subscription.pending_invoice_item_interval === null) {
    throw invalidRequest("Pending items are billed with the next period.");
  }
  subscription.next_pending_invoice_item_invoice = nextPending(account, subscription);
  return bill(account, subscription, "automatic_pending_invoice_item_invoice", []);
}

function nextPending(
  { state }: Account,
  { pending_invoice_item_interval: every }: Subscription,
): number | null {
  const now = state.nowSeconds();
  return every && periodEnd(now, now, every.interval, every.interval_count);
}
