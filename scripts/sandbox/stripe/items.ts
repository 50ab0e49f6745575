import { invalidRequest, need, noSuch } from "./errors.ts";
import { pendingItems } from "./invoice-items.ts";
import type { Account } from "./account.ts";
import { periodLine, trialLine } from "./lines.ts";
import type { Price, RecurringPrice, Subscription, SubscriptionItem } from "./objects.ts";
import { periodAround, periodEnd } from "./periods.ts";
import { chargeTime, creditTime, type ProrationBehavior } from "./prorations.ts";
import type { NewLine, StripeState } from "./state.ts";

/** Without an `id` a new item; `deleted` takes one away. Absent fields of an item stay. */
export interface ItemChange {
  id?: string | undefined;
  price?: string | undefined;
  quantity?: number | undefined;
  deleted?: boolean | undefined;
}

/** How a change of items is billed. */
export interface Billing {
  /** Default: `create_prorations`. */
  proration?: ProrationBehavior | undefined;
  /** The moment from which time is given back and charged, in epoch seconds. Default: now. */
  date?: number | undefined;
  anchor?: "now" | "unchanged" | undefined;
}

/** A change of items: the former values, and the lines of the invoice that is due at once. Null: none is. */
interface ItemsChanged {
  previous: Record<string, unknown>;
  lines: NewLine[] | null;
}

/**
 * Changes, adds and removes items. With the same interval the period stays: the rest of it is given back at the former
 * state and charged at the new one. With another interval, or from free to paid, every item's period starts anew and is
 * charged at once. Another interval is refused where the anchor must stay.
 */
export function changeItems(
  account: Account,
  subscription: Subscription,
  changes: ItemChange[],
  { proration = "create_prorations", date: wanted, anchor }: Billing = {},
): ItemsChanged {
  const { state } = account;
  const items = subscription.items.data;
  const now = state.nowSeconds();
  const date = wanted ?? now;
  if (
    wanted !== undefined &&
    (wanted < Math.max(...items.map((item) => item.current_period_start)) || wanted > now)
  ) {
    throw invalidRequest("The proration date must be within the current period.", {
      param: "proration_date",
    });
  }
  const plans = changes.map((change, index) => planOf(state, subscription, change, index));
  const removed = new Set(plans.filter(({ isDeleted }) => isDeleted).map(({ item }) => item));
  if (plans.every(({ isDeleted }) => isDeleted) && removed.size === items.length) {
    throw invalidRequest("A subscription must have at least one active item. Cancel it instead.", {
      param: "items",
    });
  }
  const wasFree = items.every((item) => item.price.unit_amount === 0);
  const changesInterval = plans.some(({ item, price }) => item && price && !sameInterval(item.price, price));
  if (changesInterval && anchor === "unchanged") {
    const message = "Changing plan intervals. There's no way to leave billing cycle unchanged.";
    throw invalidRequest(message, { param: "billing_cycle_anchor" });
  }
  // A move from free to paid begins a paid period, too.
  const turnsPaid = wasFree && plans.some(({ price }) => price !== undefined && price.unit_amount !== 0);
  const restarts = changesInterval || anchor === "now" || turnsPaid;
  if (restarts && subscription.status !== "active") {
    throw invalidRequest(
      `The sandbox does not restart the period of a subscription that is ${subscription.status}.`,
    );
  }
  // Time in a free trial, or in a pause, is neither paid nor given back.
  const prorates = proration !== "none" && ["active", "past_due", "unpaid"].includes(subscription.status);
  const previous: Record<string, unknown> = { items: { data: structuredClone(items) } };
  const touched = plans.flatMap(({ item }) => item ?? []);
  if (prorates) {
    for (const item of restarts ? items : touched) {
      creditTime(account, subscription, item, date);
    }
  }
  const changed = plans.flatMap((plan) => apply(account, subscription, plan, now));
  if (restarts) {
    previous["billing_cycle_anchor"] = subscription.billing_cycle_anchor;
    restartPeriods(account, subscription);
    return { previous, lines: subscription.items.data.map((item) => periodLine(state, item)) };
  }
  if (prorates) { for (const item of changed) chargeTime(account, subscription, item, date); }
  const added = changed.filter((item) => !touched.includes(item));
  if (subscription.status === "trialing" && added.length > 0) {
    return { previous, lines: added.map((item) => trialLine(state, item)) };
  }
  const isDue = proration === "always_invoice" && pendingItems(state, subscription).length > 0;
  return { previous, lines: isDue ? [] : null };
}

interface Plan {
  item: SubscriptionItem | undefined;
  price: RecurringPrice | undefined;
  quantity: number | undefined;
  isDeleted: boolean;
}

function planOf(
  state: StripeState,
  { items: { data } }: Subscription,
  { id, price: priceId, quantity, deleted: isDeleted = false }: ItemChange,
  index: number,
): Plan {
  const item = id === undefined ? undefined : data.find((one) => one.id === id);
  if (id !== undefined && !item) throw noSuch("subscription item", id, `items[${index}][id]`);
  if (priceId === undefined) return { item, price: undefined, quantity, isDeleted };
  const param = `items[${index}][price]`;
  const price = needRecurring(state, priceId, param);
  if (!price.active) {
    throw invalidRequest("The price specified is inactive. This field only accepts active prices.", {
      param,
    });
  }
  if (data.some((other) => other !== item && other.price.id === priceId)) {
    throw invalidRequest(`Cannot add multiple subscription items with the same plan: ${priceId}`, { param });
  }
  return { item, price, quantity, isDeleted };
}

/** Returns the item as it is billed from now on; none for a removed one. */
function apply(
  { state }: Account,
  subscription: Subscription,
  { item, price, quantity, isDeleted }: Plan,
  now: number,
): SubscriptionItem[] {
  const { data } = subscription.items;
  if (item && isDeleted) {
    data.splice(data.indexOf(item), 1);
    return [];
  }
  if (item) {
    if (price) item.price = price;
    if (quantity !== undefined) item.quantity = quantity;
    return [item];
  }
  if (!price) throw invalidRequest("An item needs a price.", { param: "items" });
  const sibling = data.find((other) => sameInterval(other.price, price));
  const { interval, interval_count } = price.recurring;
  const period = sibling
    ? { start: sibling.current_period_start, end: sibling.current_period_end }
    : periodAround(subscription.billing_cycle_anchor, now, interval, interval_count);
  const added = newItem(state, { subscription: subscription.id, price, quantity: quantity ?? 1, period });
  data.push(added);
  return [added];
}

/** A metered item has no quantity. */
export function newItem(
  state: StripeState,
  { subscription, price, quantity, period: { start, end } }: {
    subscription: string;
    price: RecurringPrice;
    quantity: number;
    period: { start: number; end: number };
  },
): SubscriptionItem {
  return {
    id: state.newId("si_", 14),
    object: "subscription_item",
    created: state.nowSeconds(),
    current_period_start: start,
    current_period_end: end,
    metadata: {},
    price,
    ...(price.recurring.usage_type === "metered" ? {} : { quantity }),
    subscription,
  };
}

/** Refuses a price for one payment. */
export function needRecurring(state: StripeState, id: string, param: string): RecurringPrice {
  const price = need(state.prices, "price", id, param);
  if (isRecurring(price)) return price;
  throw invalidRequest(
    "The price specified is set to `type=one_time`. Subscriptions take recurring prices.",
    {
      param,
    },
  );
}

function isRecurring(price: Price): price is RecurringPrice {
  return price.recurring !== null;
}

/** Every item's period begins now. */
export function restartPeriods({ state }: Account, subscription: Subscription): void {
  const now = state.nowSeconds();
  subscription.billing_cycle_anchor = now;
  for (const item of subscription.items.data) {
    const { interval, interval_count } = item.price.recurring;
    item.current_period_start = now;
    item.current_period_end = periodEnd(now, now, interval, interval_count);
  }
}

function sameInterval({ recurring: a }: RecurringPrice, { recurring: b }: RecurringPrice): boolean {
  return a.interval === b.interval && a.interval_count === b.interval_count;
}
