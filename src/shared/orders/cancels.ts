import type { FollowUp } from "../queue/reasons.ts";
import type { CancelCause, Order } from "./orders.ts";

/** The task that cancels one order. */
export function cancelOf(order: Order, cause: CancelCause): FollowUp {
  return { step: "order.cancel", data: { order_id: order.id, cause } };
}
