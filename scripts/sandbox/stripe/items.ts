import { changesInterval, inactivePrice, noSuch, notAllowed, samePriceTwice } from "./errors.ts";
import type { World } from "./invoicing.ts";
import { addPending, periodLine, prorationLine, takePending } from "./lines.ts";
import type { Price, Subscription, SubscriptionItem } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { NewLine } from "./state.ts";

/** A new quantity from now on; the next invoice corrects the running period with two proration lines. */
export function changeQuantity(
  world: World,
  subscription: Subscription,
  itemId: string,
  quantity: number,
): Subscription {
  const { state } = world;
  const item = needItem(subscription, itemId);
  const now = state.nowSeconds();
  const previous = { items: { data: [{ id: item.id, quantity: item.quantity }] } };
  const credit = prorationLine(item, now, -1);
  item.quantity = quantity;
  addPending(state, subscription.id, [credit, prorationLine(item, now, 1)]);
  world.events.emit("customer.subscription.updated", subscription, previous);
  return subscription;
}

export interface PriceMove {
  itemId: string;
  priceId: string;
  prorates: boolean;
  anchor?: "now" | "unchanged";
}

/**
 * Another price for an item. Of the same interval: the period stays and nothing is charged. Of another, or from a free
 * one to one that costs: every item's period starts anew and is charged at once, whatever the proration; where the anchor must stay, that is refused.
 * Gives what the items were, and the lines of the invoice to be charged, if there is one.
 */
export function changePrice(
  world: World,
  subscription: Subscription,
  { itemId, priceId, prorates, anchor }: PriceMove,
): { previous: Record<string, unknown>; lines: NewLine[] | null } {
  const { state } = world;
  const item = needItem(subscription, itemId);
  const price = state.prices.get(priceId);
  if (!price) throw noSuch("price", priceId, "items[0][price]");
  if (!price.active) throw inactivePrice("items[0][price]");
  if (subscription.items.data.some((other) => other !== item && other.price.id === priceId)) {
    throw samePriceTwice(priceId);
  }
  const changes = !sameInterval(item.price, price);
  if (changes && anchor === "unchanged") throw changesInterval();
  // From free to paid begins a paid period, too.
  const restarts = changes || anchor === "now" || (item.price.unit_amount === 0 && price.unit_amount > 0);
  if (restarts && subscription.status !== "active") {
    throw notAllowed(
      `The sandbox does not restart the period of a subscription that is ${subscription.status}.`,
    );
  }
  const items = subscription.items.data;
  const previous: Record<string, unknown> = { items: { data: structuredClone(items) } };
  const now = state.nowSeconds();
  const credits = prorates ? (restarts ? items : [item]).map((one) => prorationLine(one, now, -1)) : [];
  item.price = price;
  if (!restarts) {
    if (prorates) addPending(state, subscription.id, [...credits, prorationLine(item, now, 1)]);
    return { previous, lines: null };
  }
  previous["billing_cycle_anchor"] = subscription.billing_cycle_anchor;
  restartPeriods(world, subscription);
  return { previous, lines: [...takePending(state, subscription.id), ...credits, ...items.map(periodLine)] };
}

/** Every item's period begins now. */
export function restartPeriods({ state }: World, subscription: Subscription): void {
  const now = state.nowSeconds();
  subscription.billing_cycle_anchor = now;
  for (const item of subscription.items.data) {
    const { interval, interval_count } = item.price.recurring;
    item.current_period_start = now;
    item.current_period_end = periodEnd(now, now, interval, interval_count);
  }
}

function needItem(subscription: Subscription, itemId: string): SubscriptionItem {
  const item = subscription.items.data.find(({ id }) => id === itemId);
  if (!item) throw noSuch("subscription item", itemId, "items[0][id]");
  return item;
}

function sameInterval({ recurring: a }: Price, { recurring: b }: Price): boolean {
  return a.interval === b.interval && a.interval_count === b.interval_count;
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
  addPending(state, subscription.id, [line]);
}
