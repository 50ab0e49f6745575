import type { Trx } from "../../db/database.ts";
import { releaseOrders } from "../../orders/orders.ts";
import { lockKeys, makeFormer } from "../../registry/keys.ts";
import { type FollowUp, Retryable } from "../../queue/reasons.ts";
import { defineStep } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";
import { assignCustomer } from "../../registry/link.ts";

/** A customer was deleted at Stripe: the key becomes a former one, and the refills and orders it paid for are checked. */
export const stripeCustomerDeleted = defineStep({
  handles: ["stripe.customer.deleted"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: key }) {
    if (await ctx.vendors.stripe.getCustomer(key)) {
      throw new Retryable("NOT_YET_VISIBLE", { vendor: "stripe" });
    }
    return {
      kind: "done",
      commit: async (trx) => {
        await lockKeys(trx);
        const customerId = await makeFormer(trx, { system: "stripe", key }, "deleted");
        if (customerId === undefined) return;
        await assignCustomer(ctx, trx, customerId);
        await releaseOrders(trx, { customer_id: customerId });
        return await refillChecks(trx, customerId);
      },
    };
  },
});

/** A check for each subscription that our tables know: Stripe lists none of a deleted customer's. */
async function refillChecks(trx: Trx, customerId: number): Promise<FollowUp[]> {
  const rows = await trx.selectFrom("tracker.refills").select("subscription_id").distinct()
    .where("customer_id", "=", customerId)
    .union(
      trx.selectFrom("tracker.renewals").select("subscription_id")
        .where("customer_id", "=", customerId).where("closed_at", "is", null),
    )
    .execute();
  return rows.map(({ subscription_id }): FollowUp => ({ step: "renewal.check", data: { subscription_id } }));
}
