import { type Order, ORDER_STATES, orderById } from "../../orders/orders.ts";
import { customerById, keyOf } from "../../registry/customers.ts";
import { reason } from "../../queue/reasons.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep } from "../../queue/step.ts";
import { CRM_WINDOW_HOURS, tellOnce } from "../../queue/crm.ts";

type Fact = DataOf<"order.tell_crm">["fact"];

/** The order's rank when the fact became true, and the time of it. The time is part of the event's id: it never changes. */
const FACTS: Record<Fact, { rank: number; at: (order: Order) => Date | null }> = {
  order_placed: { rank: ORDER_STATES.PLACED, at: (order) => order.placed_at },
  order_shipped: { rank: ORDER_STATES.SHIPPED, at: (order) => order.shipped_at },
  order_delivered: { rank: ORDER_STATES.DELIVERED, at: (order) => order.delivered_at },
  order_cancelled: { rank: ORDER_STATES.CANCELLED, at: (order) => order.ended_at },
};

/** Tells the CRM one fact of one order, once. Cancelled when the order has moved past it or the CRM would ignore it. */
export const orderTellCrm = defineOwnStep("order.tell_crm", {
  queue: "crm",
  async run(ctx, { order_id: orderId, fact }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    const at = FACTS[fact].at(order) ?? ctx.task.createdAt;
    if (ORDER_STATES[order.state] > FACTS[fact].rank) {
      return { kind: "cancelled", reason: reason("FACT_IS_PAST", { fact }) };
    }
    if (ctx.now().getTime() - at.getTime() > CRM_WINDOW_HOURS * 3_600_000) {
      return { kind: "cancelled", reason: reason("FACT_IS_TOO_OLD", { fact }) };
    }
    const personId = keyOf(await customerById(ctx.deps.db, order.customer_id), "crm_person_id");
    const parcel = await ctx.deps.db
      .selectFrom("tracker.shipments")
      .select(["carrier", "tracking_number"])
      .where("order_id", "=", orderId)
      .orderBy("id")
      .executeTakeFirst();
    const data = { order_id: orderId, ...(fact === "order_shipped" ? parcel : {}) };
    await tellOnce(ctx, `${order.reference}:${fact}`, () => ({ personId, name: fact, at, data }));
    return { kind: "done" };
  },
});
