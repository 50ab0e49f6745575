import { amountOf } from "./amounts.ts";
import { type PaymentBehavior, takesPayment } from "./cards.ts";
import { redeem, reductionOf } from "./discounts.ts";
import { invalidRequest, need } from "./errors.ts";
import { firstLines, stubLine } from "./first-lines.ts";
import { priceLines, totalsOf } from "./invoice-amounts.ts";
import { pendingItems } from "./invoice-items.ts";
import type { Account } from "./account.ts";
import { attemptPayment, closeInvoice, draftInvoice, finalizeInvoice } from "./invoicing.ts";
import { needRecurring, newItem } from "./items.ts";
import { periodLine } from "./lines.ts";
import {
  type BillingMode,
  type Invoice,
  listOf,
  type Metadata,
  type MissingMethod,
  type Subscription,
  type SubscriptionItem,
} from "./objects.ts";
import { periodAround, periodEnd } from "./periods.ts";
import type { NewLine, StripeState } from "./state.ts";

export interface SubscribeRequest {
  customerId: string;
  items: { price: string; quantity: number }[];
  metadata?: Metadata;
  /** Charged instead of the customer's default. */
  paymentMethod?: string | undefined;
  /** The outcome of a failed first charge. Default: refused, with nothing made. */
  paymentBehavior?: PaymentBehavior;
  /** The length of a free first period. The billing dates are counted from its end. */
  trialDays?: number | undefined;
  couponIds?: string[] | undefined;
  taxRateIds?: string[] | undefined;
  /** The end of a free first period, in epoch seconds. */
  trialEnd?: number | undefined;
  /** The effect of a trial's end without a payment method. Default: `create_invoice`. */
  missingMethod?: MissingMethod | undefined;
  /** Default: `flexible`, as of API version 2025-09-30.clover. */
  billingMode?: BillingMode | undefined;
  /** The first full billing date, within one interval from now (or from the trial's end), in epoch seconds. */
  anchor?: number | undefined;
  /** False: the time up to the anchor is free. */
  prorates?: boolean | undefined;
  /** A first day in the past, charged for in the first invoice. */
  backdate?: number | undefined;
}

/** A new subscription with its first invoice, paid at once where it can be. No invoice where nothing is due. */
export function subscribe(account: Account, request: SubscribeRequest): Subscription {
  const { subscription, lines } = build(account, request);
  account.events.emit("customer.subscription.created", subscription);
  if (lines.length === 0 && pendingItems(account.state, subscription).length === 0) return subscription;
  const invoice = draftInvoice(account, subscription, "subscription_create", lines);
  finalizeInvoice(account, invoice);
  const isPaid = subscription.status !== "incomplete";
  if (isPaid || request.paymentBehavior !== "default_incomplete") attemptPayment(account, invoice, isPaid);
  return subscription;
}

/** The first charge was not paid for 23 hours: its invoice becomes void, and the subscription ends. */
export function closeFirstInvoice(account: Account, subscription: Subscription): void {
  if (subscription.status !== "incomplete") throw invalidRequest("Only an incomplete subscription expires.");
  const invoice = account.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice) closeInvoice(account, invoice, "void");
  subscription.ended_at = account.state.nowSeconds();
}

/** Sends no event and makes no invoice. Refused or incomplete where the first charge fails. */
export function newSubscription(account: Account, request: SubscribeRequest): Subscription {
  return build(account, request).subscription;
}

function build(
  account: Account,
  request: SubscribeRequest,
): { subscription: Subscription; lines: NewLine[] } {
  const { state } = account;
  const customer = need(state.customers, "customer", request.customerId, "customer");
  const { paymentMethod = null, trialDays, billingMode = "flexible", prorates = true } = request;
  if (paymentMethod !== null) {
    need(state.paymentMethods.group(customer.id), "PaymentMethod", paymentMethod, "default_payment_method");
  }
  const base = state.fresh("subscription", "sub_1", 23);
  const { id, created: now } = base;
  const trialEnd = request.trialEnd ?? (trialDays === undefined ? null : now + trialDays * 86_400);
  const start = request.backdate ?? now;
  // A backdated subscription keeps the dates of its first day.
  const anchor = request.anchor ?? trialEnd ?? (billingMode === "flexible" ? start : now);
  const items = request.items.map(({ price: priceId, quantity }, index) => {
    const price = needRecurring(state, priceId, `items[${index}][price]`);
    const { interval, interval_count } = price.recurring;
    const period = trialEnd !== null
      ? { start: now, end: trialEnd }
      : anchor > now
      ? { start: request.backdate === undefined ? now : start, end: anchor }
      : anchor < now
      ? periodAround(anchor, now, interval, interval_count)
      : { start: now, end: periodEnd(now, now, interval, interval_count) };
    if (anchor > now && trialEnd === null && anchor > periodEnd(now, now, interval, interval_count)) {
      throw invalidRequest("billing_cycle_anchor cannot be later than next natural billing date.", {
        param: "billing_cycle_anchor",
      });
    }
    return newItem(state, { subscription: id, price, quantity, period });
  });
  const discounts = (request.couponIds ?? []).map((coupon) =>
    redeem(state, coupon, { subscription: id, customer: customer.id })
  );
  const taxRates = (request.taxRateIds ?? []).map((rate) =>
    need(state.taxRates, "tax rate", rate, "default_tax_rates[0]")
  );
  const subscription: Subscription = {
    ...base,
    billing_cycle_anchor: anchor,
    billing_mode: {
      type: billingMode,
      flexible: billingMode === "flexible" ? { proration_discounts: "included" } : null,
    },
    billing_schedules: [],
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: "charge_automatically",
    currency: "usd",
    customer: request.customerId,
    default_payment_method: paymentMethod,
    default_tax_rates: taxRates,
    discounts: discounts.map((discount) => discount.id),
    ended_at: null,
    items: listOf(`/v1/subscription_items?subscription=${id}`, items),
    latest_invoice: null,
    metadata: { ...request.metadata },
    next_pending_invoice_item_invoice: null,
    pause_collection: null,
    pending_invoice_item_interval: null,
    pending_update: null,
    schedule: null,
    start_date: start,
    status: trialEnd === null ? "active" : "trialing",
    trial_end: trialEnd,
    trial_settings: {
      end_behavior: {
        billing_cycle_anchor: null,
        missing_payment_method: request.missingMethod ?? "create_invoice",
      },
    },
    trial_start: trialEnd === null ? null : now,
  };
  const lines = firstLines(state, subscription, prorates);
  const priced = priceLines(
    lines.map((line) => ({ ...line, discountable: line.discountable ?? true })),
    discounts.map((discount) => reductionOf(state, discount)),
    taxRates,
  );
  const isComplete = takesPayment(account, customer, {
    amount: totalsOf(priced).total,
    method: paymentMethod,
    behavior: request.paymentBehavior ?? "error_if_incomplete",
  });
  if (!isComplete) subscription.status = "incomplete";
  return { subscription: state.subscriptions.add(subscription), lines };
}

/**
 * Begins the next period of the items that are due first. Its invoice is paid, fails, or follows the pause; a period that
 * was billed in advance makes none. `usage` is what was used of metered items in the period that ends, by item.
 */
export function renew(
  account: Account,
  subscription: Subscription,
  { succeeds = true, usage = {} }: { succeeds?: boolean; usage?: Record<string, number> } = {},
): Invoice | null {
  const { state, events } = account;
  if (["canceled", "paused", "incomplete", "incomplete_expired"].includes(subscription.status)) {
    throw invalidRequest(`A ${subscription.status} subscription does not renew.`);
  }
  const { cancel_at: end, billing_cycle_anchor: anchor, items: { data: items } } = subscription;
  const due = Math.min(...items.map((item) => item.current_period_end));
  if (subscription.cancel_at_period_end || (end !== null && end <= due)) {
    throw invalidRequest("It ends with its period: cancel it instead.");
  }
  const renewed = items.filter((item) => item.current_period_end === due);
  const previous = renewed.map(({ id, current_period_end }) => ({ id, current_period_end }));
  const used = renewed.flatMap((item) => usageLine(state, item, usage[item.id] ?? 0));
  for (const item of renewed) {
    const { interval, interval_count } = item.price.recurring;
    item.current_period_start = due;
    // After a trial the anchor may be still to come.
    const natural = anchor > due ? anchor : periodEnd(anchor, due, interval, interval_count);
    item.current_period_end = Math.min(natural, end ?? Infinity);
  }
  if (subscription.status === "trialing") subscription.status = "active";
  events.emit("customer.subscription.updated", subscription, { items: { data: previous } });
  const lines = renewed
    .filter(({ price, billed_until: until = 0, current_period_end }) =>
      price.recurring.usage_type === "licensed" && until < current_period_end
    )
    .map((item) =>
      (isCutShort(subscription, item) ? stubLine(state, item) : null) ?? periodLine(state, item)
    );
  if (used.length + lines.length + pendingItems(state, subscription).length === 0) return null;
  return bill(account, subscription, "subscription_cycle", [...used, ...lines], succeeds);
}

/** True for a period that an anchor or the subscription's end makes shorter than the others. */
function isCutShort({ billing_cycle_anchor, cancel_at }: Subscription, item: SubscriptionItem): boolean {
  return [billing_cycle_anchor, cancel_at].includes(item.current_period_end);
}

/** What was used of a metered item, for the period that ends. */
function usageLine(state: StripeState, item: SubscriptionItem, used: number): NewLine[] {
  if (item.price.recurring.usage_type === "licensed") return [];
  return [{ ...periodLine(state, item), amount: amountOf(state, item.price, used), quantity: used }];
}

/** Makes the invoice of a change or of a new period and charges it, or follows the pause. */
export function bill(
  account: Account,
  subscription: Subscription,
  reason: "subscription_cycle" | "subscription_update" | "automatic_pending_invoice_item_invoice" | "manual",
  lines: NewLine[],
  succeeds = true,
): Invoice {
  const invoice = draftInvoice(account, subscription, reason, lines);
  const behavior = subscription.pause_collection?.behavior;
  if (behavior === "keep_as_draft") {
    invoice.auto_advance = false;
    return invoice;
  }
  finalizeInvoice(account, invoice);
  if (behavior !== undefined) {
    closeInvoice(account, invoice, behavior === "void" ? "void" : "uncollectible");
    return invoice;
  }
  // One that is sent waits for the customer to pay it.
  if (invoice.collection_method === "send_invoice") return invoice;
  attemptPayment(account, invoice, succeeds);
  if (!succeeds && subscription.pending_update === null) {
    const previous = { status: subscription.status };
    subscription.status = "past_due";
    account.events.emit("customer.subscription.updated", subscription, previous);
  }
  return invoice;
}
