import type { FollowUp } from "../../queue/reasons.ts";
import { reviewsOf } from "../../orders/reviews.ts";
import { hasTask } from "../../queue/find.ts";
import { defineStep } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";

/**
 * A subscription began, changed or ended. Its waiting orders and the cover of its refills are checked now, and the CRM's
 * plan is set to Stripe's. A new subscription is compared with those that were started here.
 */
export const subscriptionChanged = defineStep({
  handles: [
    "stripe.customer.subscription.created",
    "stripe.customer.subscription.updated",
    "stripe.customer.subscription.paused",
    "stripe.customer.subscription.resumed",
    "stripe.customer.subscription.deleted",
  ],
  queue: "internal",
  data: stripeHint,
  run: (ctx, { object_id: subscription_id }) => ({
    kind: "done",
    commit: async (trx) => {
      const followUps: FollowUp[] = [
        ...await reviewsOf(trx, subscription_id),
        { step: "renewal.check", data: { subscription_id } },
        { step: "owner.propagate_plan", data: { subscription_id } },
      ];
      // Without a start, subscriptions begin by Checkout alone, and there is nothing to compare.
      const isNew = ctx.task.step === "stripe.customer.subscription.created";
      if (isNew && await hasTask(trx, { step: "subscription.start" })) {
        followUps.push({ step: "subscription.compare", data: { subscription_id } });
      }
      return followUps;
    },
  }),
});
