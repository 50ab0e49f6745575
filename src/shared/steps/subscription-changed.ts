import type { FollowUp } from "../queue/reasons.ts";
import { releaseOrders } from "../orders/orders.ts";
import { defineStep } from "../queue/step.ts";
import { stripeHint } from "./hints.ts";

/**
 * A subscription began, changed or ended: its orders that wait are checked now, against what Stripe says then, and so is
 * until when its refills are covered; the CRM's mirror of the plan is put right.
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
  run: (_ctx, { object_id }) =>
    Promise.resolve({
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        await releaseOrders(trx, { subscription_id: object_id });
        return [
          { step: "renewal.check", data: { subscription_id: object_id } },
          { step: "owner.propagate_plan", data: { subscription_id: object_id } },
        ];
      },
    }),
});
