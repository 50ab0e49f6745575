import { type PaymentBehavior, takesPayment } from "./cards.ts";
import { noSuch, notAllowed } from "./errors.ts";
import { attemptPayment, closeInvoice, draftInvoice, finalizeInvoice, type World } from "./invoicing.ts";
import { changePrice, type PriceMove, restartPeriods } from "./items.ts";
import { periodLine, takePending } from "./lines.ts";
import {
  type Invoice,
  listOf,
  type Metadata,
  type PauseBehavior,
  type Subscription,
  type SubscriptionItem,
} from "./objects.ts";
import { periodEnd } from "./periods.ts";

export interface SubscribeRequest {
  customerId: string;
  items: { price: string; quantity: number }[];
  metadata?: Metadata;
  /** Charged instead of the customer's default. */
  paymentMethod?: string;
  /** What becomes of a first charge that fails; refused with nothing made, unless said otherwise. */
  paymentBehavior?: PaymentBehavior;

  /** The first period is free and so long; the billing dates are counted from its end. */
  trialDays?: number;
}

/** A new subscription with its first invoice, which is paid at once where it can be. */
export function subscribe(world: World, request: SubscribeRequest): Subscription {
  const subscription = newSubscription(world, request);
  world.events.emit("customer.subscription.created", subscription);
  const isFree = subscription.status === "trialing";
  const lines = subscription.items.data.map(periodLine).map((line) => isFree ? { ...line, amount: 0 } : line);
  const invoice = draftInvoice(world, subscription, "subscription_create", lines);
  finalizeInvoice(world, invoice);
  const isPaid = subscription.status !== "incomplete";
  if (isPaid || request.paymentBehavior !== "default_incomplete") attemptPayment(world, invoice, isPaid);
  return subscription;
}

/** The first charge of an incomplete subscription succeeds after all. */
export function completeFirstPayment(world: World, subscription: Subscription): Subscription {
  if (subscription.status !== "incomplete") {
    throw notAllowed("Only an incomplete subscription has an open first charge.");
  }
  const invoice = world.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice) attemptPayment(world, invoice, true);
  return update(world, subscription, { status: "active" });
}

/** Nobody paid the first charge for 23 hours: its invoice is void, and it stays as it is for ever. */
export function expireIncomplete(world: World, subscription: Subscription): Subscription {
  if (subscription.status !== "incomplete") throw notAllowed("Only an incomplete subscription expires.");
  const invoice = world.state.invoices.get(subscription.latest_invoice ?? "");
  if (invoice) closeInvoice(world, invoice, "void");
  subscription.ended_at = world.state.nowSeconds();
  return update(world, subscription, { status: "incomplete_expired" });
}

/** Without any event or invoice, but refused or incomplete all the same where it could not be paid. */
export function newSubscription(world: World, request: SubscribeRequest): Subscription {
  const { state } = world;
  const customer = state.customers.get(request.customerId);
  if (!customer) throw noSuch("customer", request.customerId, "customer");
  const { paymentMethod = null, trialDays } = request;
  if (paymentMethod !== null && !state.paymentMethods.group(customer.id).has(paymentMethod)) {
    throw noSuch("PaymentMethod", paymentMethod, "default_payment_method");
  }
  const now = state.nowSeconds();
  const trialEnd = trialDays === undefined ? null : now + trialDays * 86_400;
  const id = state.newId("sub_1", 23);
  const items = request.items.map(({ price: priceId, quantity }, index): SubscriptionItem => {
    const price = state.prices.get(priceId);
    if (!price) throw noSuch("price", priceId, `items[${index}][price]`);
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
  const amount = trialEnd === null
    ? items.reduce((sum, item) => sum + item.price.unit_amount * item.quantity, 0)
    : 0;
  const isComplete = takesPayment(world, customer, {
    amount,
    method: paymentMethod,
    behavior: request.paymentBehavior ?? "error_if_incomplete",
  });
  const subscription: Subscription = {
    id,
    object: "subscription",
    created: now,
    livemode: false,
    billing_cycle_anchor: trialEnd ?? now,
    billing_mode: { type: "flexible" },
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    collection_method: "charge_automatically",
    currency: "usd",
    customer: request.customerId,
    default_payment_method: paymentMethod,
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
  };
  state.subscriptions.set(id, subscription);
  return subscription;
}

/** The next period of every item that is due first; its invoice is paid, fails, or follows the pause. */
export function renew(world: World, subscription: Subscription, succeeds: boolean): Invoice {
  const { state, events } = world;
  if (["canceled", "paused", "incomplete", "incomplete_expired"].includes(subscription.status)) {
    throw notAllowed(`A ${subscription.status} subscription does not renew.`);
  }
  if (subscription.cancel_at_period_end) throw notAllowed("It ends with its period: cancel it instead.");
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
  const invoice = draftInvoice(world, subscription, "subscription_cycle", lines);
  collect(world, subscription, invoice, succeeds);
  return invoice;
}

/** What happens to the invoice of a new period. */
export function collect(world: World, subscription: Subscription, invoice: Invoice, succeeds: boolean): void {
  const behavior = subscription.pause_collection?.behavior;
  if (behavior === "keep_as_draft") {
    invoice.auto_advance = false;
    return;
  }
  finalizeInvoice(world, invoice);
  if (behavior !== undefined) {
    closeInvoice(world, invoice, behavior === "void" ? "void" : "uncollectible");
    return;
  }
  attemptPayment(world, invoice, succeeds);
  if (!succeeds) update(world, subscription, { status: "past_due" });
}

/** Changes fields of the subscription, and an item's price, and sends `customer.subscription.updated` with what they were. */
export function update(
  world: World,
  subscription: Subscription,
  change: SubscriptionChange,
  move?: PriceMove,
): Subscription {
  const moved = move === undefined ? undefined : changePrice(world, subscription, move);
  const previous: Record<string, unknown> = { ...moved?.previous };
  for (const [name, value] of Object.entries(subscription)) if (name in change) previous[name] = value;
  Object.assign(subscription, change);
  world.events.emit("customer.subscription.updated", subscription, previous);
  if (moved?.lines) {
    collect(world, subscription, draftInvoice(world, subscription, "subscription_update", moved.lines), true);
  }
  return subscription;
}

export type SubscriptionChange = Partial<
  Pick<
    Subscription,
    "status" | "metadata" | "pause_collection" | "cancel_at_period_end" | "cancel_at" | "schedule"
  >
>;

/** `pause_collection`: the status stays, renewals are not charged. Null collects again. */
export function pauseCollection(
  world: World,
  subscription: Subscription,
  behavior: PauseBehavior | null,
): Subscription {
  return update(world, subscription, {
    pause_collection: behavior === null ? null : { behavior, resumes_at: null },
  });
}

/** The other pause: status `paused`, no invoices at all. */
export function pause(world: World, subscription: Subscription): Subscription {
  if (subscription.status !== "active") throw notAllowed("Only an active subscription can be paused.");
  update(world, subscription, { status: "paused" });
  world.events.emit("customer.subscription.paused", subscription);
  return subscription;
}

/** A period that ended during the pause begins anew with the moment of resuming, and is charged for. */
export function resume(world: World, subscription: Subscription): Subscription {
  if (subscription.status !== "paused") throw notAllowed("Only a paused subscription can be resumed.");
  const now = world.state.nowSeconds();
  const isOver = subscription.items.data.some((item) => item.current_period_end <= now);
  if (isOver) restartPeriods(world, subscription);
  update(world, subscription, { status: "active" });
  world.events.emit("customer.subscription.resumed", subscription);
  if (isOver) {
    const lines = [...takePending(world.state, subscription.id), ...subscription.items.data.map(periodLine)];
    collect(world, subscription, draftInvoice(world, subscription, "subscription_update", lines), true);
  }
  return subscription;
}

export function cancel({ state, events }: World, subscription: Subscription): Subscription {
  if (subscription.status === "canceled") {
    throw noSuch("subscription", subscription.id, "id", 404);
  }
  const now = state.nowSeconds();
  Object.assign(subscription, { status: "canceled", canceled_at: now, ended_at: now });
  events.emit("customer.subscription.deleted", subscription);
  return subscription;
}
