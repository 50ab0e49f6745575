import { PRICES, productOf } from "../sandbox/clinic.ts";
import type { Subscription } from "../sandbox/stripe/objects.ts";
import { type Check, check } from "./check.ts";
import type { Evidence } from "./evidence.ts";

/**
 * Stripe's own state: each beginner has exactly one subscription, charged once at its begin, and nobody has two for
 * one product.
 */
export function checkStarts({ vendors, people, beginners }: Evidence): Check {
  const result = check("each first prescription began one subscription, and nobody has two for one product");
  const { state } = vendors.stripe;
  for (const { stripeCustomerId } of people) {
    const owned = new Map<string, Set<string>>();
    for (const subscription of state.subscriptions.group(stripeCustomerId).values()) {
      for (const name of productsOf(subscription)) {
        owned.set(name, (owned.get(name) ?? new Set()).add(subscription.id));
      }
    }
    for (const [name, ids] of owned) {
      if (ids.size > 1) {
        result.doubled.push(`${stripeCustomerId} has ${ids.size} subscriptions for ${name}: ${[...ids]}`);
      }
    }
  }
  for (const { person: { stripeCustomerId }, price } of beginners) {
    const began = [...state.subscriptions.group(stripeCustomerId).values()]
      .filter(({ items }) => items.data.some((item) => item.price.id === price));
    if (began.length === 0) {
      result.lost.push(`${stripeCustomerId} was prescribed ${price}, and nothing began`);
    }
    for (const { id } of began) {
      const paid = [...state.invoices.values()].filter((invoice) =>
        invoice.parent?.subscription_details.subscription === id && invoice.status === "paid" &&
        invoice.billing_reason === "subscription_create"
      ).length;
      if (paid !== 1) {
        result.unexplained.push(`${id} was charged ${paid} times at its begin`);
      }
    }
  }
  result.scope =
    `${beginners.length} began by prescription; ${state.subscriptions.size} subscriptions in all`;
  return result;
}

function productsOf({ items }: Subscription): Set<string> {
  const known = items.data.filter(({ price }) => PRICES.some(({ id }) => id === price.id));
  return new Set(known.map(({ price }) => productOf(price.id).name));
}
