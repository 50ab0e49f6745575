import type { Trx } from "../db/database.ts";
import type { FollowUp } from "../queue/reasons.ts";
import type { CancelCause, Order } from "./orders.ts";

/** An invoice's orders that may still ship, or have. The pharmacy may mend a failed one and ship it. */
export async function ordersToCancel(trx: Trx, invoiceId: string): Promise<Order[]> {
  return await trx
    .selectFrom("tracker.orders")
    .selectAll()
    .where("invoice_id", "=", invoiceId)
    .where("state", "not in", ["CANCELLED", "RETURNED"])
    .orderBy("id")
    .execute();
}

/** Cancels all orders that the invoice paid for. */
export async function cancelAll(trx: Trx, invoiceId: string, cause: CancelCause): Promise<FollowUp[]> {
  return (await ordersToCancel(trx, invoiceId)).map((order) => cancelOf(order, cause));
}

/** The task that cancels one order. */
export function cancelOf(order: Order, cause: CancelCause): FollowUp {
  return { step: "order.cancel", data: { order_id: order.id, cause } };
}
