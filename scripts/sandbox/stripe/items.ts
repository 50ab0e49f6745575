import { invalidRequest, need, noSuch } from "./errors.ts";
import type { Account } from "./account.ts";
import { addPending, periodLine, prorationLine, takePending } from "./lines.ts";
import type { Price, Subscription, SubscriptionItem } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { NewLine } from "./state.ts";

/** A new quantity from now on; the next invoice corrects the running period with two proration lines. */
export function changeQuantity(
  account: Account,
  subscription: Subscription,
  itemId: string,
  quantity: number,
): Subscription {
  const { state } = account;
  const item = needItem(subscription, itemId);
  const now = state.nowSeconds();
  const previous = { items: { data: [{ id: item.id, quantity: item.quantity }] } };
  const credit = prorationLine(item, now, -1);
  item.quantity = quantity;
  addPending(state, subscription.id, [credit, prorationLine(item, now, 1)]);
  account.events.emit("customer.subscription.updated", subscription, previous);
  return subscription;
}

export interface PriceMove {
  itemId: string;
  priceId: string;
  prorates: boolean;
  anchor?: "now" | "unchanged" | undefined;
}

/**
 * Gives an item another price. With the same interval the period stays, and nothing is charged. With another interval,
 * or from a free price to a paid one, every item's period starts anew and is charged at once, with or without proration.
 * Another interval is refused where the anchor must stay. Returns the former items, and the lines to be charged or null.
 */
export function changePrice(
  account: Account,
  subscription: Subscription,
  { itemId, priceId, prorates, anchor }: PriceMove,
): { previous: Record<string, unknown>; lines: NewLine[] | null } {
  const { state } = account;
  const item = needItem(subscription, itemId);
  const param = "items[0][price]";
  const price = need(state.prices, "price", priceId, param);
  if (!price.active) {
    throw invalidRequest("The price specified is inactive. This field only accepts active prices.", {
      param,
    });
  }
  if (subscription.items.data.some((other) => other !== item && other.price.id === priceId)) {
    const message = `Cannot add multiple subscription items with the same plan: ${priceId}`;
    throw invalidRequest(message, { param });
  }
  const changesInterval = !sameInterval(item.price, price);
  if (changesInterval && anchor === "unchanged") {
    const message = "Changing plan intervals. There's no way to leave billing cycle unchanged.";
    throw invalidRequest(message, { param: "billing_cycle_anchor" });
  }
  // A move from free to paid begins a paid period, too.
  const restarts = changesInterval || anchor === "now" ||
    (item.price.unit_amount === 0 && price.unit_amount > 0);
  if (restarts && subscription.status !== "active") {
    throw invalidRequest(
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
  restartPeriods(account, subscription);
  return { previous, lines: [...takePending(state, subscription.id), ...credits, ...items.map(periodLine)] };
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

function needItem(subscription: Subscription, itemId: string): SubscriptionItem {
  const item = subscription.items.data.find(({ id }) => id === itemId);
  if (!item) throw noSuch("subscription item", itemId, "items[0][id]");
  return item;
}

function sameInterval({ recurring: a }: Price, { recurring: b }: Price): boolean {
  return a.interval === b.interval && a.interval_count === b.interval_count;
}

/** A one-off charge (a fee, say) that the next invoice takes along. */
export function addInvoiceItem({ state }: Account, subscription: Subscription, amount: number): void {
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
