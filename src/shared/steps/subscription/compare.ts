import type { Trx } from "../../db/database.ts";
import { findCustomer } from "../../registry/customers.ts";
import { productsByKey } from "../../registry/prices.ts";
import { reason } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";
import { subscriptionsEver } from "../../subscriptions/read.ts";
import { startEffectOf, wakeStarts } from "../../subscriptions/starts.ts";
import { isInUse, standingOf } from "../../subscriptions/standing.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/**
 * A subscription has begun at Stripe. It answers stopped starts of the same product, which run again. A customer may finish
 * a Checkout in the moment of a start here. The later of two subscriptions for one product goes to a person.
 */
export const subscriptionCompare = defineOwnStep("subscription.compare", {
  queue: "stripe",
  async run(ctx, { subscription_id: subscriptionId }) {
    const subscription = await ctx.vendors.stripe.getSubscription(subscriptionId);
    const customer = await findCustomer(ctx.deps.db, "stripe_customer_id", subscription.customerId);
    if (!customer || !isInUse(standingOf(subscription))) return { kind: "done" };
    ctx.about({ customerId: customer.id });
    const others = (await subscriptionsEver(ctx, customer.id, subscription.customerId))
      .filter((one) => one.id !== subscriptionId && isInUse(standingOf(one)) && isEarlier(one, subscription));
    const all = [subscription, ...others];
    const prices = all.flatMap(({ items }) => items.map(({ priceId }) => priceId));
    const products = await productsByKey(ctx.deps.db, "stripe_price", prices);
    const productsOf = ({ items }: StripeSubscription) =>
      new Set(items.flatMap(({ priceId }) => products.get(priceId) ?? []));
    const begun = productsOf(subscription);
    const commit = (trx: Trx) => wakeStarts(trx, customer.id, [...begun]);
    for (const product of begun) {
      const first = others.find((one) => productsOf(one).has(product))?.id;
      // A customer who bought twice in Checkout wants both.
      if (first === undefined || !(await startEffectOf(ctx.deps.db, customer.id, product))) continue;
      const details = { customer: customer.id, product, first, second: subscriptionId };
      return { kind: "stopped", reason: reason("SUBSCRIBED_TWICE", details), commit };
    }
    return { kind: "done", commit };
  },
});

/** In the same second the id decides, so that of two exactly one is the later. */
function isEarlier(one: StripeSubscription, other: StripeSubscription): boolean {
  const apart = one.createdAt.getTime() - other.createdAt.getTime();
  return apart === 0 ? one.id < other.id : apart < 0;
}
