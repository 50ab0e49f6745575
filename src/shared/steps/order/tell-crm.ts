import { type Order, ORDER_STATES, orderById } from "../../orders/orders.ts";
import { customerById, keyOf } from "../../registry/customers.ts";
import { reason } from "../../queue/reasons.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep } from "../../queue/step.ts";

type Fact = DataOf<"order.tell_crm">["fact"];

/** An older event is stored by the CRM without starting anything, so nobody would hear of it anyway. */
const TOO_OLD_HOURS = 72;

const RANK_OF_FACT: Record<Fact, number> = {
  order_placed: ORDER_STATES.PLACED,
  order_shipped: ORDER_STATES.SHIPPED,
  order_delivered: ORDER_STATES.DELIVERED,
  order_cancelled: ORDER_STATES.CANCELLED,
};

/** Tells the CRM one fact of one order, once. Skipped when the order has moved past it or it is old news. */
export const orderTellCrm = defineOwnStep("order.tell_crm", {
  queue: "crm",
  async run(ctx, { order_id: orderId, fact }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    const at = momentOf(order, fact) ?? ctx.task.createdAt;
    if (ORDER_STATES[order.state] > RANK_OF_FACT[fact]) {
      return { kind: "cancelled", reason: reason("FACT_IS_PAST", { fact }) };
    }
    if (ctx.now().getTime() - at.getTime() > TOO_OLD_HOURS * 3_600_000) {
      return { kind: "cancelled", reason: reason("FACT_IS_TOO_OLD", { fact }) };
    }
    const personId = keyOf(await customerById(ctx.deps.db, order.customer_id), "crm_person_id");
    const parcel = await ctx.deps.db
      .selectFrom("tracker.shipments")
      .select(["carrier", "tracking_number"])
      .where("order_id", "=", orderId)
      .orderBy("id")
      .executeTakeFirst();
    const id = `${order.reference}:${fact}`;
    await ctx.once({
      vendor: "crm",
      operation: "send event",
      key: id,
      settleSeconds: 0,
      idempotentForSeconds: TOO_OLD_HOURS * 3600,
      send: async () => {
        const tracking = fact === "order_shipped" && parcel ? parcel : {};
        await ctx.vendors.crm.sendEvent({
          personId,
          id,
          name: fact,
          at,
          data: { order_id: orderId, ...tracking },
        });
        return null;
      },
    });
    return { kind: "done" };
  },
});

/** When the fact came to be: it never changes, so that a repeat carries the same event id. */
function momentOf(order: Order, fact: Fact): Date | null {
  switch (fact) {
    case "order_placed":
      return order.placed_at;
    case "order_shipped":
      return order.shipped_at;
    case "order_delivered":
      return order.delivered_at;
    case "order_cancelled":
      return order.ended_at;
  }
}
