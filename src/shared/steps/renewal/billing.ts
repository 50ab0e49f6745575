import { sql } from "kysely";
import { releaseOrders } from "../../orders/orders.ts";
import { type FollowUp, Permanent, Retryable } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { subscriptionsOf } from "../../subscriptions/read.ts";
import { pausedBy } from "../../renewals/pauses.ts";
import { lockRenewal, type Renewal, renewalById } from "../../renewals/renewals.ts";
import {
  isPausedForRenewal,
  PAUSED_FOR_RENEWAL,
  standingOf,
  type SubscriptionState,
} from "../../subscriptions/standing.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/**
 * Pauses collection of the customer's subscriptions for a lapsed renewal's product: nobody pays for a fill that cannot
 * ship. The renewal's number in their metadata marks the pause as ours. A subscription that bills other products too goes
 * to a person.
 */
export const renewalPauseBilling = defineOwnStep("renewal.pause_billing", {
  queue: "stripe",
  async run(ctx, { renewal_id: renewalId }) {
    const renewal = await renewalById(ctx.deps.db, renewalId);
    ctx.about({ customerId: renewal.customer_id });
    if (renewal.state !== "LAPSED") return { kind: "done" };
    const all = await subscriptionsAbout(ctx, renewal);
    const ours = await pricesOf(ctx, renewal.product_id);
    const billed = all.filter((one) => isBilled(one) && one.items.some(({ priceId }) => ours.has(priceId)));
    const alone = billed.filter(({ items }) => items.every(({ priceId }) => ours.has(priceId)));
    for (const subscription of alone) await pause(ctx, subscription, renewalId);
    const mixed = billed.find((one) => !alone.includes(one));
    if (mixed) throw new Permanent("BILLING_NOT_PAUSED", { subscription: mixed.id });
    if (billed.length === 0) return { kind: "done" };
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        const current = await lockRenewal(trx, renewalId);
        // A second lapse of one renewal is a second pause.
        if (current.billing_paused_at === null || current.billing_resumed_at !== null) {
          await trx.updateTable("tracker.renewals")
            .set({ billing_paused_at: sql`clockwork.now()`, billing_resumed_at: null })
            .where("id", "=", renewalId).execute();
        }
        // The lapse ended during the pause, in a run that could not see the pause yet.
        return current.state === "LAPSED"
          ? []
          : [{ step: "renewal.resume_billing", data: { renewal_id: renewalId } }];
      },
    };
  },
});

/** True where billing goes on unless somebody pauses it. An unknown state may bill, so it is paused too. */
const IS_BILLED: Record<SubscriptionState, boolean> = {
  WANTED: true,
  PAST_DUE: true,
  UNPAID: true,
  PAUSED: false,
  PAUSED_UNPAID: false,
  INCOMPLETE: true,
  ENDED: false,
  UNKNOWN: true,
};

/** A pause of ours counts as billed: it is not made twice, and `billing_paused_at` is set for it. */
function isBilled(subscription: StripeSubscription): boolean {
  const { state, pause } = standingOf(subscription);
  return IS_BILLED[state] && pause !== "BY_CUSTOMER";
}

async function pause(ctx: StepContext, subscription: StripeSubscription, renewalId: number): Promise<void> {
  if (isPausedForRenewal(subscription)) return;
  await ctx.vendors.stripe.pauseCollection(subscription.id, { [PAUSED_FOR_RENEWAL]: String(renewalId) });
  await ctx.deps.faultPoint?.("billing paused");
  const paused = await ctx.vendors.stripe.getSubscription(subscription.id);
  if (!isPausedForRenewal(paused)) throw new Retryable("NOT_YET_VISIBLE", { vendor: "stripe" });
}

/**
 * Ends the pauses that this renewal made, and no others. A subscription that the customer paused meanwhile, by another
 * status or another kind of pause, stays paused; only our mark is removed from it.
 */
export const renewalResumeBilling = defineOwnStep("renewal.resume_billing", {
  queue: "stripe",
  async run(ctx, { renewal_id: renewalId }) {
    const renewal = await renewalById(ctx.deps.db, renewalId);
    ctx.about({ customerId: renewal.customer_id });
    if (renewal.state === "LAPSED") return { kind: "done" };
    for (const subscription of await subscriptionsAbout(ctx, renewal)) {
      if (pausedBy(subscription) !== renewalId || standingOf(subscription).state === "ENDED") continue;
      const { stripe } = ctx.vendors;
      const unmarked = { [PAUSED_FOR_RENEWAL]: "" };
      if (isPausedForRenewal(subscription)) await stripe.resumeCollection(subscription.id, unmarked);
      else await stripe.setSubscriptionMetadata(subscription.id, unmarked);
      await ctx.deps.faultPoint?.("billing resumed");
    }
    return {
      kind: "done",
      commit: async (trx) => {
        await trx.updateTable("tracker.renewals")
          .set({ billing_resumed_at: sql`coalesce(billing_resumed_at, clockwork.now())` })
          .where("id", "=", renewalId)
          .where("billing_paused_at", "is not", null)
          .execute();
        await releaseOrders(trx, { customer_id: renewal.customer_id });
      },
    };
  },
});

/** The renewal's own subscription and the customer's others: two of them may be for the same product. */
async function subscriptionsAbout(ctx: StepContext, renewal: Renewal): Promise<StripeSubscription[]> {
  const own = await ctx.vendors.stripe.getSubscription(renewal.subscription_id);
  const others = await subscriptionsOf(ctx, own.customerId);
  return [own, ...others.filter(({ id }) => id !== own.id)];
}

async function pricesOf(ctx: StepContext, productId: number): Promise<Set<string>> {
  const prices = await ctx.deps.db
    .selectFrom("registry.product_keys")
    .select("key")
    .where("system", "=", "stripe_price")
    .where("product_id", "=", productId)
    .execute();
  return new Set(prices.map(({ key }) => key));
}
