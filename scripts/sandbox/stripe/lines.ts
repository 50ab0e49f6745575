import { itemAmount } from "./amounts.ts";
import type { InvoiceLine, Price, SubscriptionItem } from "./objects.ts";
import type { NewLine, StripeState } from "./state.ts";

/** The line for a whole period of the item. */
export function periodLine(state: StripeState, item: SubscriptionItem): NewLine {
  const period = { start: item.current_period_start, end: item.current_period_end };
  return itemLine(item, { period, amount: itemAmount(state, item) });
}

/** The line of a free period. */
export function trialLine(state: StripeState, item: SubscriptionItem): NewLine {
  const line = periodLine(state, item);
  return {
    ...line,
    amount: 0,
    description: `Free trial for ${item.quantity ?? 1} × ${String(item.price.product)}`,
  };
}

/** A line of the item for any span of time. */
export function itemLine(
  item: SubscriptionItem,
  { period, amount, proration = false, quantity = item.quantity ?? null }: {
    period: NewLine["period"];
    amount: number;
    proration?: boolean;
    quantity?: number | null;
  },
): NewLine {
  return {
    amount,
    quantity,
    period,
    parent: {
      type: "subscription_item_details",
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration,
        proration_details: { credited_items: null },
        subscription: item.subscription,
        subscription_item: item.id,
      },
    },
    pricing: pricingOf(item.price),
    subscription: item.subscription,
    ...(proration ? { discountable: false } : {}),
  };
}

/** Null for an amount without a price. */
export function pricingOf({ id, product, unit_amount }: Price): InvoiceLine["pricing"] {
  return {
    type: "price_details",
    price_details: { price: id, product: String(product) },
    unit_amount_decimal: unit_amount === null ? null : String(unit_amount),
  };
}
