import type { StepContext } from "../queue/step.ts";
import { Retryable } from "../queue/reasons.ts";
import type { ShippingAddress } from "../vendors/contract.ts";
import { isSameAddress } from "./address.ts";
import { isWithPharmacy, type Order, STATE_AT_PHARMACY } from "./orders.ts";

/**
 * Compares the address of an order at the pharmacy with the health record's, in memory. `former`: they differ, or the
 * pharmacy names none. `gone`: there is no order that the pharmacy could still cancel.
 * @param home the health record's address; null where it has none
 */
export async function destinationOf(
  ctx: StepContext,
  order: Order,
  home: ShippingAddress | null,
): Promise<"right" | "former" | "unknown_home" | "gone"> {
  if (!order.pharmacy_order_id) return "gone";
  const atPharmacy = await ctx.vendors.pharmacy.getOrder(order.pharmacy_order_id);
  if (!atPharmacy) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
  if (!isWithPharmacy(STATE_AT_PHARMACY[atPharmacy.state])) return "gone";
  if (!home) return "unknown_home";
  return atPharmacy.address && isSameAddress(atPharmacy.address, home) ? "right" : "former";
}
