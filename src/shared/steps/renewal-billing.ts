import { sql } from "kysely";
import { z } from "zod";
import { releaseOrders } from "../orders/orders.ts";
import { type FollowUp, Permanent, Retryable } from "../queue/reasons.ts";
import { defineStep, type StepContext } from "../queue/step.ts";
import { isPausedByCustomer, isPausedForRenewal, PAUSED_FOR_RENEWAL } from "../renewals/look.ts";
import { isOpen, lockRenewal, renewalById } from "../renewals/renewals.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";

const data = z.strictObject({ renewal_id: z.number().int() });

/**
 * Nobody pays for what cannot ship: pauses collection of a lapsed renewal's subscription, with the renewal's number in
 * its metadata, so that Stripe itself says whose pause it is. A subscription that bills other products too is for a
 * person.
 */
export const renewalPauseBilling = defineStep({
  handles: ["renewal.pause_billing"],
  queue: "stripe",
  data,
  async run(ctx, { renewal_id: renewalId }) {
    const renewal = await renewalById(ctx.deps.db, renewalId);
    ctx.about({ customerId: renewal.customer_id });
    if (!isOpen(renewal) || renewal.state !== "LAPSED") return { kind: "done" };
    const subscription = await ctx.vendors.stripe.getSubscription(renewal.subscription_id);
    if (subscription.endedAt || isPausedByCustomer(subscription)) return { kind: "done" };
    if (!isPausedForRenewal(subscription)) {
      if (await billsOtherProducts(ctx, subscription, renewal.product_id)) {
        throw new Permanent("BILLING_NOT_PAUSED", { subscription: subscription.id });
      }
      await ctx.vendors.stripe.pauseCollection(subscription.id, { [PAUSED_FOR_RENEWAL]: String(renewalId) });
      await ctx.deps.faultPoint?.("billing paused");
      const seen = await ctx.vendors.stripe.getSubscription(subscription.id);
      if (!isPausedForRenewal(seen)) throw new Retryable("NOT_YET_VISIBLE", { vendor: "stripe" });
    }
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        const current = await lockRenewal(trx, renewalId);
        await trx.updateTable("tracker.renewals")
          .set({ billing_paused_at: sql`coalesce(billing_paused_at, clockwork.now())` })
          .where("id", "=", renewalId).execute();
        // Renewed while we paused: whoever closed it could not see the pause yet.
        return isOpen(current) ? [] : [{ step: "renewal.resume_billing", data: { renewal_id: renewalId } }];
      },
    };
  },
});

/** Ends the pause that this renewal made, and no other: what the customer paused stays paused. */
export const renewalResumeBilling = defineStep({
  handles: ["renewal.resume_billing"],
  queue: "stripe",
  data,
  async run(ctx, { renewal_id: renewalId }) {
    const renewal = await renewalById(ctx.deps.db, renewalId);
    ctx.about({ customerId: renewal.customer_id });
    if (isOpen(renewal)) return { kind: "done" };
    const subscription = await ctx.vendors.stripe.getSubscription(renewal.subscription_id);
    const isOurs = subscription.metadata[PAUSED_FOR_RENEWAL] === String(renewalId);
    if (isOurs && !subscription.endedAt) {
      await ctx.vendors.stripe.resumeCollection(subscription.id, { [PAUSED_FOR_RENEWAL]: "" });
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

async function billsOtherProducts(
  ctx: StepContext,
  { items }: StripeSubscription,
  productId: number,
): Promise<boolean> {
  const others = await ctx.deps.db
    .selectFrom("registry.product_keys")
    .select("key")
    .where("system", "=", "stripe_price")
    .where("product_id", "=", productId)
    .execute();
  const ours = new Set(others.map(({ key }) => key));
  return items.some(({ priceId }) => !ours.has(priceId));
}
