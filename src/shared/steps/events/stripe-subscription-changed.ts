import type { FollowUp } from "../../queue/reasons.ts";
import { releaseOrders } from "../../orders/orders.ts";
import { hasStarts } from "../../subscriptions/starts.ts";
import { defineStep } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";

/**
 * A subscription began, changed or ended: its orders that wait are checked now, against what Stripe says then, and so is
 * until when its refills are covered; the CRM's mirror of the plan is put right. A new one is compared with those that
 * were started here.
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
  run: (ctx, { object_id }) =>
    Promise.resolve({
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        await releaseOrders(trx, { subscription_id: object_id });
        const followUps: FollowUp[] = [
          { step: "renewal.check", data: { subscription_id: object_id } },
          { step: "owner.propagate_plan", data: { subscription_id: object_id } },
        ];
        if (ctx.task.step === "stripe.customer.subscription.created" && await hasStarts(trx)) {
          followUps.push({ step: "subscription.compare", data: { subscription_id: object_id } });
        }
        return followUps;
      },
    }),
});
