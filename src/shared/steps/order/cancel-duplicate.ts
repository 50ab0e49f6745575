import { cancelAtPharmacy } from "../../orders/at-pharmacy.ts";
import { orderById } from "../../orders/orders.ts";
import { Permanent } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** Cancels a second order at the pharmacy under one reference, or asks a person when it is too late. */
export const orderCancelDuplicate = defineOwnStep("order.cancel_duplicate", {
  queue: "pharmacy",
  async run(ctx, { order_id: orderId, pharmacy_order_id: pharmacyOrderId }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    if (order.pharmacy_order_id === pharmacyOrderId) return { kind: "done" };
    const details = { order: orderId, pharmacy_order: pharmacyOrderId };
    await cancelAtPharmacy(ctx, pharmacyOrderId, () => new Permanent("DUPLICATE_SHIPPED", details));
    return { kind: "done" };
  },
});
