import type { Price, SubscriptionItem } from "./objects.ts";
import type { StripeState } from "./state.ts";

/** The price of so many units for a whole period, in cents. */
export function amountOf({ tiers }: StripeState, price: Price, quantity: number): number {
  if (price.unit_amount !== null) return price.unit_amount * quantity;
  const tier = tiers.get(price.id)?.find(({ upTo }) => upTo === null || quantity <= upTo);
  return tier ? tier.flat + tier.unit * quantity : 0;
}

/** The same for a subscription item. A metered one costs nothing in advance. */
export function itemAmount(state: StripeState, { price, quantity = 0 }: SubscriptionItem): number {
  return price.recurring.usage_type === "metered" ? 0 : amountOf(state, price, quantity);
}
