import type { Database, Trx } from "../../db/database.ts";
import { markOf } from "../../orders/address.ts";
import { destinationOf } from "../../orders/destination.ts";
import { isWithPharmacy, lockOrder, type Order, ORDER_STATES } from "../../orders/orders.ts";
import { customerById } from "../../registry/customers.ts";
import { ask } from "../../queue/ask.ts";
import { reason } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { wakeTasks } from "../../queue/wake.ts";

/**
 * Compares the address of each order at the pharmacy with the health record, which owns the address. The pharmacy cannot
 * change an order, so a person is asked, once for each order and address. A resend of the question places the order anew.
 */
export const ownerCheckAddress = defineOwnStep("owner.check_address", {
  queue: "pharmacy",
  async run(ctx, { customer_id: customerId }) {
    const customer = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    const orders = await ordersWithPharmacy(ctx.deps.db, customerId);
    if (orders.length === 0 || !customer.health_patient_id) return { kind: "done" };
    const home = await ctx.vendors.health.getShippingAddress(customer.health_patient_id);
    const wrong: { order: Order; mark: string }[] = [];
    const right: number[] = [];
    for (const order of orders) {
      const destination = await destinationOf(ctx, order, home);
      if (destination === "right") right.push(order.id);
      else if (destination !== "gone") wrong.push({ order, mark: await markOf(order.reference, home) });
    }
    const code = home ? "ADDRESS_CHANGED" : "ADDRESS_INCOMPLETE";
    return {
      kind: "done",
      commit: async (trx) => {
        for (const { order, mark } of wrong) await askAbout(trx, ctx, order, mark, code);
        // The customer moved back before anybody answered: the question runs, finds nothing to do, and ends.
        await wakeTasks(trx, { step: "order.readdress", about: { order_id: right } });
      },
    };
  },
});

async function ordersWithPharmacy(db: Database, customerId: number): Promise<Order[]> {
  const states = Object.keys(ORDER_STATES).filter(isWithPharmacy);
  return await db.selectFrom("tracker.orders").selectAll()
    .where("customer_id", "=", customerId)
    .where("state", "in", states)
    .where("cancel_requested_at", "is", null)
    .orderBy("id")
    .execute();
}

/** Asks about an order and an address once: a person who lets the parcel go there is asked about another address only. */
async function askAbout(
  trx: Trx,
  ctx: StepContext,
  order: Order,
  mark: string,
  code: "ADDRESS_CHANGED" | "ADDRESS_INCOMPLETE",
): Promise<void> {
  const current = await lockOrder(trx, order.id);
  if (!isWithPharmacy(current.state) || current.cancel_requested_at) return;
  await ask(trx, ctx, {
    step: "order.readdress",
    data: { order_id: order.id, mark },
    person: reason(code, { order: order.id, customer: order.customer_id }),
    customerId: order.customer_id,
    invoiceId: order.invoice_id,
  }, { about: { order_id: order.id } });
}
