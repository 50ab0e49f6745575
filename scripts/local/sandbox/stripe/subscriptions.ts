import { noSuch, notAllowed } from "./errors.ts";
import { attemptPayment, closeInvoice, draftInvoice, finalizeInvoice, type World } from "./invoicing.ts";
import {
  type Invoice,
  listOf,
  type Metadata,
  type PauseBehavior,
  type Subscription,
  type SubscriptionItem,
} from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { NewLine } from "./state.ts";

export interface SubscribeRequest {
  customerId: string;
  items: { price: string; quantity: number }[];
  metadata?: Metadata;
}

/** A new active subscription with its first invoice, paid at once. */
export function subscribe(world: World, request: SubscribeRequest): Subscription {
  const { state, events } = world;
  if (!state.customers.has(request.customerId)) throw noSuch("customer", request.customerId, "customer");
  const now = state.nowSeconds();
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
      current_period_end: periodEnd(now, now, interval, interval_count),
      metadata: {},
      price,
      quantity,
      subscription: id,
    };
  });
  const subscription: Subscription = {
    id,
    object: "subscription",
    created: now,
    livemode: false,
    billing_cycle_anchor: now,
    billing_mode: { type: "flexible" },
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    collection_method: "charge_automatically",
    currency: "usd",
    customer: request.customerId,
    ended_at: null,
    items: listOf(`/v1/subscription_items?subscription=${id}`, items),
    latest_invoice: null,
    metadata: { ...request.metadata },
    pause_collection: null,
    schedule: null,
    start_date: now,
    status: "active",
    trial_end: null,
    trial_start: null,
  };
  state.subscriptions.set(id, subscription);
  events.emit("customer.subscription.created", subscription);
  const invoice = draftInvoice(world, subscription, "subscription_create", items.map(periodLine));
  finalizeInvoice(world, invoice);
  attemptPayment(world, invoice, true);
  return subscription;
}

/** The next period of every item that is due first; its invoice is paid, fails, or follows the pause. */
export function renew(world: World, subscription: Subscription, succeeds: boolean): Invoice {
  const { state, events } = world;
  if (subscription.status === "canceled" || subscription.status === "paused") {
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
  const pending = state.pendingLines.get(subscription.id) ?? [];
  state.pendingLines.delete(subscription.id);
  events.emit("customer.subscription.updated", subscription, { items: { data: previous } });
  const lines = [...pending, ...renewed.map(periodLine)];
  const invoice = draftInvoice(world, subscription, "subscription_cycle", lines);
  collect(world, subscription, invoice, succeeds);
  return invoice;
}

/** What happens to a renewal's invoice. */
function collect(world: World, subscription: Subscription, invoice: Invoice, succeeds: boolean): void {
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

/** Changes fields of the subscription and sends `customer.subscription.updated` with what they were. */
export function update(world: World, subscription: Subscription, change: SubscriptionChange): Subscription {
  const previous: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(subscription)) if (name in change) previous[name] = value;
  Object.assign(subscription, change);
  world.events.emit("customer.subscription.updated", subscription, previous);
  return subscription;
}

export type SubscriptionChange = Partial<
  Pick<Subscription, "status" | "metadata" | "pause_collection" | "cancel_at_period_end" | "cancel_at">
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

export function resume(world: World, subscription: Subscription): Subscription {
  if (subscription.status !== "paused") throw notAllowed("Only a paused subscription can be resumed.");
  update(world, subscription, { status: "active" });
  world.events.emit("customer.subscription.resumed", subscription);
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

/** A new quantity from now on; the next invoice corrects the running period with two proration lines. */
export function changeQuantity(
  world: World,
  subscription: Subscription,
  itemId: string,
  quantity: number,
): Subscription {
  const { state } = world;
  const item = subscription.items.data.find(({ id }) => id === itemId);
  if (!item) throw noSuch("subscription item", itemId, "items[0][id]");
  const now = state.nowSeconds();
  const left = (item.current_period_end - now) / (item.current_period_end - item.current_period_start);
  const correction = (units: number, sign: 1 | -1): NewLine => {
    const line = itemLine(item, { start: now, end: item.current_period_end }, true);
    return { ...line, quantity: units, amount: sign * Math.round(item.price.unit_amount * units * left) };
  };
  const lines = [correction(item.quantity, -1), correction(quantity, 1)];
  state.pendingLines.set(subscription.id, [...(state.pendingLines.get(subscription.id) ?? []), ...lines]);
  const previous = { items: { data: [{ id: item.id, quantity: item.quantity }] } };
  item.quantity = quantity;
  world.events.emit("customer.subscription.updated", subscription, previous);
  return subscription;
}

/** A one-off charge (a fee, say) that the next invoice takes along. */
export function addInvoiceItem({ state }: World, subscription: Subscription, amount: number): void {
  const now = state.nowSeconds();
  const line: NewLine = {
    amount,
    quantity: 1,
    period: { start: now, end: now },
    parent: {
      type: "invoice_item_details",
      subscription_item_details: null,
      invoice_item_details: {
        invoice_item: state.newId("ii_1", 23),
        proration: false,
        proration_details: null,
        subscription: subscription.id,
      },
    },
    pricing: null,
    subscription: subscription.id,
  };
  state.pendingLines.set(subscription.id, [...(state.pendingLines.get(subscription.id) ?? []), line]);
}

function periodLine(item: SubscriptionItem): NewLine {
  return itemLine(item, { start: item.current_period_start, end: item.current_period_end }, false);
}

function itemLine(item: SubscriptionItem, period: NewLine["period"], proration: boolean): NewLine {
  return {
    amount: item.price.unit_amount * item.quantity,
    quantity: item.quantity,
    period,
    parent: {
      type: "subscription_item_details",
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration,
        proration_details: null,
        subscription: item.subscription,
        subscription_item: item.id,
      },
    },
    pricing: {
      type: "price_details",
      price_details: { price: item.price.id, product: String(item.price.product) },
      unit_amount_decimal: String(item.price.unit_amount),
    },
    subscription: item.subscription,
  };
}
