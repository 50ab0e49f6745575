import { z } from "zod";
import { hasShipped, lockOrder, orderById } from "../orders/orders.ts";
import { Permanent } from "../queue/reasons.ts";
import { defineStep } from "../queue/step.ts";
import { cancelAtPharmacy } from "./order-cancel.ts";

/** A person asked for a replacement: the same paid fill is ordered once more, under the next attempt's reference. */
export const orderReplace = defineStep({
  handles: ["order.replace"],
  queue: "pharmacy",
  data: z.strictObject({
    order_id: z.number().int(),
    /** A person's word that a shipped parcel will not arrive. */
    lost: z.boolean().optional(),
  }),
  async run(ctx, { order_id: orderId, lost = false }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    const hasEnded = order.ended_at !== null;
    const isStillLive = () => new Permanent("ORDER_STILL_LIVE", { order: orderId, state: order.state });
    if (!hasEnded && !(lost && hasShipped(order))) throw isStillLive();
    // A failed order could be mended at the pharmacy and ship after all.
    if (order.state === "FAILED" && order.pharmacy_order_id) {
      await cancelAtPharmacy(ctx, order.pharmacy_order_id, isStillLive);
    }
    return {
      kind: "done",
      commit: async (trx) => {
        await lockOrder(trx, orderId);
        const replacement = await trx
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
        return replacement ? [{ step: "order.place", data: { order_id: replacement.id } }] : [];
      },
    };
  },
});
