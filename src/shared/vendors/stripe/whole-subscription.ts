import type Stripe from "stripe";
import { PAGE_SIZE, whole } from "./pages.ts";
import { toSubscription, unreadableSubscription } from "./reduce.ts";
import type { StripeSubscription } from "./types.ts";

/** `subscriptions` with all their items. */
export async function wholeSubscriptions(
  stripe: Stripe,
  subscriptions: Stripe.Subscription[],
): Promise<StripeSubscription[]> {
  const reduced: StripeSubscription[] = [];
  for (const subscription of subscriptions) reduced.push(await wholeSubscription(stripe, subscription));
  return reduced;
}

/** The subscription with all its items; one that cannot be read is `unreadable`. */
export async function wholeSubscription(
  stripe: Stripe,
  subscription: Stripe.Subscription,
): Promise<StripeSubscription> {
  if (!Array.isArray(subscription.items?.data)) return unreadableSubscription(subscription);
  const items = await whole(
    subscription.items,
    () => stripe.subscriptionItems.list({ subscription: subscription.id, limit: PAGE_SIZE }),
  );
  try {
    return toSubscription(subscription, items);
  } catch {
    return unreadableSubscription(subscription);
  }
}
