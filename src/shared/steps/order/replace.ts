import { cancelAtPharmacy } from "../../orders/at-pharmacy.ts";
import { hasShipped, lockOrder, orderById, replacementOf, STATE_AT_PHARMACY } from "../../orders/orders.ts";
import { hasTask } from "../../queue/find.ts";
import { type FollowUp, Permanent } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { VendorError } from "../../vendors/contract.ts";

/** Replaces an order: makes the next attempt of the same paid fill, under a reference of its own. */
export const orderReplace = defineOwnStep("order.replace", {
  queue: "pharmacy",
  async run(ctx, { order_id: orderId, lost = false }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    const replacement = await replacementOf(ctx.deps.db, order);
    if (replacement !== undefined) {
      // An earlier run of this task may have made it.
      const about = { order_id: replacement };
      const isOwn = await hasTask(ctx.deps.db, { step: "order.place", about, causedBy: ctx.task.id });
      if (isOwn) return { kind: "done" };
      throw new Permanent("ORDER_ALREADY_REPLACED", { order: orderId, replacement });
    }
    const isStillLive = () => new Permanent("ORDER_STILL_LIVE", { order: orderId, state: order.state });
    if (order.ended_at === null && !(lost && hasShipped(order))) throw isStillLive();
    // A failed order could be mended at the pharmacy and ship after all.
    if (order.state === "FAILED" && order.pharmacy_order_id) {
      await cancelIfItCan(ctx, order.pharmacy_order_id, isStillLive);
    }
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        await lockOrder(trx, orderId);
        const made = await trx
          .insertInto("tracker.orders")
          .values({
            customer_id: order.customer_id,
            product_id: order.product_id,
            invoice_id: order.invoice_id,
            invoice_line_id: order.invoice_line_id,
            subscription_id: order.subscription_id,
            fill_number: order.fill_number,
            attempt: order.attempt + 1,
            fill_on: order.fill_on,
          })
          .onConflict((conflict) => conflict.constraint("one_order_per_paid_fill_and_attempt").doNothing())
          .returning("id")
          .executeTakeFirst();
        return made ? [{ step: "order.place", data: { order_id: made.id } }] : [];
      },
    };
  },
});

/** The pharmacy may refuse to cancel an order that failed for good: it stays failed. */
async function cancelIfItCan(
  ctx: StepContext,
  pharmacyOrderId: string,
  isStillLive: () => Permanent,
): Promise<void> {
  try {
    await cancelAtPharmacy(ctx, pharmacyOrderId, isStillLive);
  } catch (error) {
    if (!(error instanceof VendorError && error.failure === "refused")) throw error;
    const current = await ctx.vendors.pharmacy.getOrder(pharmacyOrderId);
    if (!current || STATE_AT_PHARMACY[current.state] !== "FAILED") throw error;
  }
}
