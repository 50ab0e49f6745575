import { destinationOf } from "../../orders/destination.ts";
import { hasShipped, isWithPharmacy, orderById, requestCancel } from "../../orders/orders.ts";
import { customerById, keyOf } from "../../registry/customers.ts";
import { type FollowUp, Permanent } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * A person wants an order to go to the customer's present address: it is cancelled at the pharmacy, and replaced once the
 * cancel is done. An order that goes there already is left alone.
 */
export const orderReaddress = defineOwnStep("order.readdress", {
  queue: "pharmacy",
  async run(ctx, { order_id: orderId }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    const tooLate = () => new Permanent("ALREADY_SHIPPED", { order: orderId, cause: "readdressed" });
    if (hasShipped(order)) throw tooLate();
    // A waiting order is placed to the address of that day; a cancelled one has its own task.
    if (!isWithPharmacy(order.state) || order.cancel_requested_at) return { kind: "done" };
    const customer = await customerById(ctx.deps.db, order.customer_id);
    const home = await ctx.vendors.health.getShippingAddress(keyOf(customer, "health_patient_id"));
    switch (await destinationOf(ctx, order, home)) {
      case "right":
        return { kind: "done" };
      case "gone":
        throw tooLate();
      case "unknown_home":
        throw new Permanent("ADDRESS_INCOMPLETE", { order: orderId, customer: customer.id });
      case "former":
        return {
          kind: "done",
          commit: async (trx): Promise<FollowUp[]> => {
            // Now, so that owner.check_address does not ask about it meanwhile.
            await requestCancel(trx, orderId, "readdressed");
            return [{ step: "order.cancel", data: { order_id: orderId, cause: "readdressed" } }];
          },
        };
    }
  },
});
