import type { StepContext } from "../queue/step.ts";
import { Retryable } from "../queue/reasons.ts";
import type { ShippingAddress } from "../vendors/contract.ts";
import { isSamePlace } from "./address.ts";
import { isWithPharmacy, type Order, STATE_AT_PHARMACY } from "./orders.ts";

/** Whether the pharmacy would send an order to where its customer lives. */
export type Destination = "right" | "former" | "unknown_home" | "gone";

/**
 * Compares where the pharmacy will send an order with the health record's address, in memory. `gone`: it is not in the
 * pharmacy's hands any more. A pharmacy that does not say where it sends to counts as `former`.
 */
export async function destinationOf(
  ctx: StepContext,
  order: Order,
  home: ShippingAddress | null,
): Promise<Destination> {
  if (!order.pharmacy_order_id) return "gone";
  const seen = await ctx.vendors.pharmacy.getOrder(order.pharmacy_order_id);
  if (!seen) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
  if (!isWithPharmacy(STATE_AT_PHARMACY[seen.state])) return "gone";
  if (!home) return "unknown_home";
  return seen.address && isSamePlace(seen.address, home) ? "right" : "former";
}
