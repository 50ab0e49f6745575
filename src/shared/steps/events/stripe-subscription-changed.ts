import type { FollowUp } from "../../queue/reasons.ts";
import { releaseOrders } from "../../orders/orders.ts";
import { hasTask } from "../../queue/find.ts";
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
        // Without a start, subscriptions begin by Checkout alone, and there is nothing to compare.
        const isNew = ctx.task.step === "stripe.customer.subscription.created";
        if (isNew && await hasTask(trx, { step: "subscription.start" })) {
          followUps.push({ step: "subscription.compare", data: { subscription_id: object_id } });
        }
        return followUps;
      },
    }),
});
