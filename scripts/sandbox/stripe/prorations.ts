import { itemAmount } from "./amounts.ts";
import { currentDiscounts, reductionOf } from "./discounts.ts";
import { priceLines, sumOf } from "./invoice-amounts.ts";
import { addInvoiceItem, type Debit } from "./invoice-items.ts";
import type { Account } from "./account.ts";
import { pricingOf } from "./lines.ts";
import type { InvoiceItem, Subscription, SubscriptionItem } from "./objects.ts";
import type { StripeState } from "./state.ts";

/** Stripe's default is `create_prorations`: pending items for the next invoice. `always_invoice` bills them at once. */
export type ProrationBehavior = "create_prorations" | "always_invoice" | "none";

/**
 * Gives back the item's time from `date` on, to the second, each amount rounded to the cent by itself.
 * `flexible` gives back what was billed for that time, one credit a charge; without a charge there is none. `classic`
 * gives back the price and quantity of the moment, billed or not. Source: "Prorations", section "Credit prorations".
 */
export function creditTime(
  account: Account,
  subscription: Subscription,
  item: SubscriptionItem,
  date: number,
  until = Infinity,
): InvoiceItem[] {
  const { state } = account;
  const debits = debitsOf(state, subscription, item);
  const credit = (amount: number, period: InvoiceItem["period"], credits: Debit | null) =>
    prorate(account, subscription, item, { amount: -amount, period, credits });
  if (subscription.billing_mode.type === "classic") {
    const { current_period_start: start, current_period_end: end } = item;
    const period = { start: Math.max(date, start), end: Math.min(end, until) };
    if (period.end <= period.start) return [];
    const amount = share(classicNet(state, subscription, item), period, { start, end });
    const billed = debits.findLast((debit) => debit.start <= period.start && debit.end > period.start);
    return amount === 0 ? [] : [credit(amount, period, billed ?? null)];
  }
  return debits.flatMap((debit) => {
    const period = { start: Math.max(date, debit.start), end: Math.min(openUntil(state, debit), until) };
    return period.end <= period.start ? [] : [credit(share(debit.net, period, debit), period, debit)];
  });
}

/** Charges the item's time from `date` to the end of its period, or to `until` in it. */
export function chargeTime(
  account: Account,
  subscription: Subscription,
  item: SubscriptionItem,
  date: number,
  until = Infinity,
): InvoiceItem[] {
  const { current_period_start: start, current_period_end: end } = item;
  const period = { start: Math.max(date, start), end: Math.min(end, until) };
  if (item.price.recurring.usage_type === "metered" || period.end <= period.start) return [];
  const amount = share(net(account.state, subscription, item), period, { start, end });
  return [prorate(account, subscription, item, { amount, period, credits: null })];
}

/** The item's amount after its part of the subscription's discounts. */
function net(state: StripeState, subscription: Subscription, item: SubscriptionItem): number {
  const items = subscription.items.data;
  const lines = items.map((one) => ({ amount: itemAmount(state, one), discountable: true }));
  const reductions = currentDiscounts(state, subscription).map((discount) => reductionOf(state, discount));
  const own = priceLines(lines, reductions, [])[items.indexOf(item)];
  return own ? own.amount - sumOf(own.discount_amounts) : itemAmount(state, item);
}

/** `classic` takes the whole of a fixed amount off the one item. The last invoice's discounts count. */
function classicNet(state: StripeState, { latest_invoice }: Subscription, item: SubscriptionItem): number {
  const used = state.invoices.get(latest_invoice ?? "")?.discounts ?? [];
  const reductions = used.flatMap((id) => state.discounts.get(id) ?? []).map((one) =>
    reductionOf(state, one)
  );
  return reductions.reduce(
    (amount, { percentOff, amountOff }) =>
      Math.max(0, percentOff === null ? amount - (amountOff ?? 0) : amount * (1 - percentOff / 100)),
    itemAmount(state, item),
  );
}

interface Span {
  start: number;
  end: number;
}

/** The part of an amount for `whole` that falls on `part`, rounded to the cent. */
export function share(amount: number, part: Span, whole: Span): number {
  return Math.round(amount * (part.end - part.start) / (whole.end - whole.start));
}

function prorate(
  account: Account,
  { customer, id: subscription }: Subscription,
  { id: subscription_item, price, quantity = 1 }: SubscriptionItem,
  { amount, period, credits }: { amount: number; period: Span; credits: Debit | null },
): InvoiceItem {
  const kind = amount < 0 ? "Unused" : "Remaining";
  return addInvoiceItem(account, {
    amount,
    credits,
    customer,
    description: `${kind} time on ${quantity} × ${String(price.product)}`,
    parent: { type: "subscription_details", subscription_details: { subscription, subscription_item } },
    period,
    pricing: pricingOf(price),
    quantity,
  });
}

/** Every charge for the item's time that stands, in the order of the bills. An unpaid one counts, too. */
function debitsOf(state: StripeState, { customer, id }: Subscription, item: SubscriptionItem): Debit[] {
  const invoiced = [...state.invoices.group(customer).values()]
    .filter((invoice) =>
      invoice.status !== "void" && invoice.parent?.subscription_details.subscription === id
    )
    .flatMap(({ lines }) => lines.data)
    .flatMap((line): Debit[] => {
      const details = line.parent?.subscription_item_details;
      if (line.amount <= 0 || details?.subscription_item !== item.id) return [];
      return [{
        key: details.invoice_item ?? line.id,
        net: line.amount - sumOf(line.discount_amounts),
        ...line.period,
        line: { invoice: line.invoice, id: line.id },
      }];
    });
  const pending = [...state.invoiceItems.group(customer).values()]
    .filter(({ amount, invoice, parent, proration }) =>
      proration && amount > 0 && invoice === null &&
      parent?.subscription_details.subscription_item === item.id
    )
    .map((charge): Debit => ({ key: charge.id, net: charge.amount, ...charge.period, line: null }));
  return [...invoiced, ...pending];
}

/** The end of the billed time that no credit has given back. */
function openUntil({ credits, invoices, invoiceItems }: StripeState, { key, end }: Debit): number {
  const standing = (credits.get(key) ?? []).filter(({ id, invoice }) =>
    invoiceItems.has(id) && (invoice === null || invoices.get(invoice)?.status !== "void")
  );
  return Math.min(end, ...standing.map(({ period }) => period.start));
}
