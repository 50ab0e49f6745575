import { releaseOrders } from "../../orders/orders.ts";
import { customerById } from "../../registry/customers.ts";
import { subscriptionsOf } from "../../subscriptions/read.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** A customer got a key: their orders, refills, prescriptions and mirrors are checked with it. */
export const customerLinked = defineOwnStep("customer.linked", {
  queue: "stripe",
  async run(ctx, data) {
    const customer = await customerById(ctx.deps.db, data.customer_id);
    ctx.about({ customerId: customer.id });
    const { stripe_customer_id } = customer;
    const [subscription] = stripe_customer_id ? await subscriptionsOf(ctx, stripe_customer_id) : [];
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        await releaseOrders(trx, { customer_id: customer.id });
        const followUps: FollowUp[] = [
          { step: "renewal.check", data: { customer_id: customer.id } },
          { step: "subscription.look", data: { customer_id: customer.id } },
          { step: "owner.propagate_contact", data: { customer_id: customer.id } },
        ];
        // One is enough: the plan is over all of a customer's subscriptions.
        if (subscription) {
          followUps.push({ step: "owner.propagate_plan", data: { subscription_id: subscription.id } });
        }
        return followUps;
      },
    };
  },
});
