import type { TrackerMoveFindingsFinding } from "../db/types.ts";
import { standingOf, type SubscriptionState } from "../subscriptions/standing.ts";
import type { StripePrice, StripeSubscription, StripeSubscriptionItem } from "../vendors/stripe/client.ts";

/** Why a subscription is not moved to another price. */
export type MoveFinding = TrackerMoveFindingsFinding;

/**
 * Why a move between these prices would charge at once or change the billing date; null: it would not. Stripe never
 * changes these attributes of a price.
 */
export function judgePrices(from: StripePrice, to: StripePrice): MoveFinding | null {
  if (from.interval !== to.interval || from.intervalCount !== to.intervalCount) return "OTHER_INTERVAL";
  if (from.currency !== to.currency) return "OTHER_CURRENCY";
  // Stripe begins a paid period at once. A price in tiers (no amount) may cost something.
  if (from.amount === 0 && to.amount !== 0) return "FREE_TO_PAID";
  return null;
}

const FINDING_OF: Record<SubscriptionState, MoveFinding | null> = {
  WANTED: null,
  // The move is for the next charge; the failed one stays with the old price.
  PAST_DUE: null,
  UNPAID: null,
  PAUSED: null,
  PAUSED_UNPAID: null,
  INCOMPLETE: "INCOMPLETE",
  ENDED: "ENDED",
  UNKNOWN: "UNKNOWN_STATUS",
};

/** Why this item of the subscription is not moved; null: it can be. */
export function judgeItem(
  subscription: StripeSubscription,
  itemId: string,
  { from, to }: { from: string; to: string },
): MoveFinding | null {
  const finding = FINDING_OF[standingOf(subscription).state];
  if (finding === "ENDED") return finding;
  const { items } = subscription;
  const item = items.find(({ id }) => id === itemId);
  if (item?.priceId !== from) return "ELSEWHERE";
  if (finding !== null) return finding;
  if (subscription.isScheduled) return "SCHEDULED";
  if (subscription.hasPendingUpdate) return "PENDING_UPDATE";
  if (items.filter(({ priceId }) => priceId === from || priceId === to).length > 1) return "PRICE_TWICE";
  if (items.length > 1) return "OTHER_ITEMS";
  return item.quantity === null ? "METERED" : null;
}

/** The items with the old price, each with the finding that keeps it from being moved. */
export function judgeSubscription(
  subscription: StripeSubscription,
  prices: { from: string; to: string },
): { item: StripeSubscriptionItem; finding: MoveFinding | null }[] {
  return subscription.items
    .filter(({ priceId }) => priceId === prices.from)
    .map((item) => ({ item, finding: judgeItem(subscription, item.id, prices) }));
}
