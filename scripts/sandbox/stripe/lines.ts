import type { SubscriptionItem } from "./objects.ts";
import type { NewLine, StripeState } from "./state.ts";

/** The line for a whole period of the item. */
export function periodLine(item: SubscriptionItem): NewLine {
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

/** The rest of the item's period: given back before a change (`-1`), or charged after it (`1`). */
export function prorationLine(item: SubscriptionItem, now: number, sign: 1 | -1): NewLine {
  const left = (item.current_period_end - now) / (item.current_period_end - item.current_period_start);
  const line = itemLine(item, { start: now, end: item.current_period_end }, true);
  return { ...line, amount: sign * Math.round(line.amount * left) };
}

/** Keeps lines for the next invoice of the subscription. */
export function addPending({ pendingLines }: StripeState, subscriptionId: string, lines: NewLine[]): void {
  pendingLines.set(subscriptionId, [...(pendingLines.get(subscriptionId) ?? []), ...lines]);
}

/** Takes out the lines that wait for the next invoice. */
export function takePending({ pendingLines }: StripeState, subscriptionId: string): NewLine[] {
  const lines = pendingLines.get(subscriptionId) ?? [];
  pendingLines.delete(subscriptionId);
  return lines;
}
