import { redeem, reductionOf } from "./discounts.ts";
import { type PaymentBehavior, takesPayment } from "./cards.ts";
import { invalidRequest, need, noSuch } from "./errors.ts";
import { priceLines, totalsOf } from "./invoice-amounts.ts";
import type { Account } from "./account.ts";
import { attemptPayment, closeInvoice, draftInvoice, finalizeInvoice } from "./invoicing.ts";
import { changePrice, type PriceMove, restartPeriods } from "./items.ts";
import { periodLine, takePending } from "./lines.ts";
import { type Invoice, listOf, type Metadata, type Subscription, type SubscriptionItem } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { NewLine } from "./state.ts";

interface SubscribeRequest {
  customerId: string;
  items: { price: string; quantity: number }[];
  metadata?: Metadata;
  /** Charged instead of the customer's default. */
  paymentMethod?: string | undefined;
  /** The outcome of a failed first charge. Default: refused, with nothing made. */
  paymentBehavior?: PaymentBehavior;
  /** The length of a free first period. The billing dates are counted from its end. */
  trialDays?: number;
  couponIds?: string[] | undefined;
  taxRateIds?: string[] | undefined;
}

/** A new subscription with its first invoice, paid at once where it can be. */
export function subscribe(account: Account, request: SubscribeRequest): Subscription {
  const subscription = newSubscription(account, request);
  account.events.emit("customer.subscription.created", subscription);
  const isFree = subscription.status === "trialing";
  const lines = subscription.items.data.map(periodLine).map((line) => isFree ? { ...line, amount: 0 } : line);
  const invoice = draftInvoice(account, subscription, "subscription_create", lines);
  finalizeInvoice(account, invoice);
  const isPaid = subscription.status !== "incomplete";
  if (isPaid || request.paymentBehavior !== "default_incomplete") attemptPayment(account, invoice, isPaid);
  return subscription;
}

/** The first charge of an incomplete subscription succeeds after all. */
export function completeFirstPayment(account: Account, subscription: Subscription): Subscription {
  if (subscription.status !== "incomplete") {
    throw invalidRequest("Only an incomplete subscription has an open first charge.");
  }
  const invoice = account.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice) attemptPayment(account, invoice, true);
  return update(account, subscription, { status: "active" });
}

/** The first charge was not paid for 23 hours: its invoice becomes void, and the subscription ends. */
export function expireIncomplete(account: Account, subscription: Subscription): Subscription {
  if (subscription.status !== "incomplete") throw invalidRequest("Only an incomplete subscription expires.");
  const invoice = account.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice) closeInvoice(account, invoice, "void");
  subscription.ended_at = account.state.nowSeconds();
  return update(account, subscription, { status: "incomplete_expired" });
}

/** Sends no event and makes no invoice. Refused or incomplete where the first charge fails. */
export function newSubscription(account: Account, request: SubscribeRequest): Subscription {
  const { state } = account;
  const customer = need(state.customers, "customer", request.customerId, "customer");
  const { paymentMethod = null, trialDays } = request;
  if (paymentMethod !== null) {
    need(state.paymentMethods.group(customer.id), "PaymentMethod", paymentMethod, "default_payment_method");
  }
  const base = state.fresh("subscription", "sub_1", 23);
  const { id, created: now } = base;
  const trialEnd = trialDays === undefined ? null : now + trialDays * 86_400;
  const items = request.items.map(({ price: priceId, quantity }, index): SubscriptionItem => {
    const price = need(state.prices, "price", priceId, `items[${index}][price]`);
    const { interval, interval_count } = price.recurring;
    return {
      id: state.newId("si_", 14),
      object: "subscription_item",
      created: now,
      current_period_start: now,
      current_period_end: trialEnd ?? periodEnd(now, now, interval, interval_count),
      metadata: {},
      price,
      quantity,
      subscription: id,
    };
  });
  const discounts = (request.couponIds ?? []).map((coupon) =>
    redeem(state, coupon, { subscription: id, customer: customer.id })
  );
  const taxRates = (request.taxRateIds ?? []).map((rate) =>
    need(state.taxRates, "tax rate", rate, "default_tax_rates[0]")
  );
  const lines = items.map((item) => ({ amount: item.price.unit_amount * item.quantity, discountable: true }));
  const reductions = discounts.map((discount) => reductionOf(state, discount));
  const { total } = totalsOf(priceLines(lines, reductions, taxRates));
  const amount = trialEnd === null ? total : 0;
  const isComplete = takesPayment(account, customer, {
    amount,
    method: paymentMethod,
    behavior: request.paymentBehavior ?? "error_if_incomplete",
  });
  return state.subscriptions.add({
    ...base,
    billing_cycle_anchor: trialEnd ?? now,
    billing_mode: { type: "flexible" },
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
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
    pause_collection: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: !isComplete ? "incomplete" : trialEnd === null ? "active" : "trialing",
    trial_end: trialEnd,
    trial_start: trialEnd === null ? null : now,
  });
}

/** Begins the next period of the items that are due first. Its invoice is paid, fails, or follows the pause. */
export function renew(account: Account, subscription: Subscription, succeeds: boolean): Invoice {
  const { state, events } = account;
  if (["canceled", "paused", "incomplete", "incomplete_expired"].includes(subscription.status)) {
    throw invalidRequest(`A ${subscription.status} subscription does not renew.`);
  }
  if (subscription.cancel_at_period_end) throw invalidRequest("It ends with its period: cancel it instead.");
  const items = subscription.items.data;
  const due = Math.min(...items.map((item) => item.current_period_end));
  const renewed = items.filter((item) => item.current_period_end === due);
  const previous = renewed.map(({ id, current_period_end }) => ({ id, current_period_end }));
  for (const item of renewed) {
    const { interval, interval_count } = item.price.recurring;
    item.current_period_start = due;
    item.current_period_end = periodEnd(subscription.billing_cycle_anchor, due, interval, interval_count);
  }
  const pending = takePending(state, subscription.id);
  if (subscription.status === "trialing") subscription.status = "active";
  events.emit("customer.subscription.updated", subscription, { items: { data: previous } });
  const lines = [...pending, ...renewed.map(periodLine)];
  return bill(account, subscription, "subscription_cycle", lines, succeeds);
}

/** Makes the invoice of a new period and charges it, or follows the pause. */
function bill(
  account: Account,
  subscription: Subscription,
  reason: "subscription_cycle" | "subscription_update",
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
  if (!succeeds) update(account, subscription, { status: "past_due" });
  return invoice;
}

/** Changes fields, and an item's price, and sends `customer.subscription.updated` with the former values. */
export function update(
  account: Account,
  subscription: Subscription,
  change: SubscriptionChange,
  move?: PriceMove,
): Subscription {
  const moved = move === undefined ? undefined : changePrice(account, subscription, move);
  const previous: Record<string, unknown> = { ...moved?.previous };
  for (const [name, value] of Object.entries(subscription)) if (name in change) previous[name] = value;
  Object.assign(subscription, change);
  account.events.emit("customer.subscription.updated", subscription, previous);
  if (moved?.lines) bill(account, subscription, "subscription_update", moved.lines);
  return subscription;
}

export type SubscriptionChange = Partial<
  Pick<
    Subscription,
    | "status"
    | "metadata"
    | "pause_collection"
    | "cancel_at_period_end"
    | "cancel_at"
    | "schedule"
    | "discounts"
    | "default_tax_rates"
    | "collection_method"
  >
>;

/** The other pause: status `paused`, no invoices at all. */
export function pause(account: Account, subscription: Subscription): Subscription {
  if (subscription.status !== "active") throw invalidRequest("Only an active subscription can be paused.");
  update(account, subscription, { status: "paused" });
  account.events.emit("customer.subscription.paused", subscription);
  return subscription;
}

/** A period that ended during the pause begins anew at the moment of resuming, and is charged. */
export function resume(account: Account, subscription: Subscription): Subscription {
  if (subscription.status !== "paused") throw invalidRequest("Only a paused subscription can be resumed.");
  const now = account.state.nowSeconds();
  const isOver = subscription.items.data.some((item) => item.current_period_end <= now);
  if (isOver) restartPeriods(account, subscription);
  update(account, subscription, { status: "active" });
  account.events.emit("customer.subscription.resumed", subscription);
  if (isOver) {
    const pending = takePending(account.state, subscription.id);
    bill(account, subscription, "subscription_update", [
      ...pending,
      ...subscription.items.data.map(periodLine),
    ]);
  }
  return subscription;
}

export function cancel({ state, events }: Account, subscription: Subscription): Subscription {
  if (subscription.status === "canceled") throw noSuch("subscription", subscription.id, "id", 404);
  const now = state.nowSeconds();
  Object.assign(subscription, { status: "canceled", canceled_at: now, ended_at: now });
  events.emit("customer.subscription.deleted", subscription);
  return subscription;
}
