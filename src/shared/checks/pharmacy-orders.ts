import type { Trx } from "../db/database.ts";
import {
  isLiveAtPharmacy,
  isOurReference,
  needsAttention,
  ORDER_STATES,
  type OrderState,
  STATE_AT_PHARMACY,
} from "../orders/orders.ts";
import { findEvents, type FoundTask, UNDER_WAY } from "../queue/find.ts";
import type { Hint } from "../vendors/hints.ts";
import type { PharmacyOrder, PharmacyOrderState } from "../vendors/pharmacy.ts";
import type { VendorEvent } from "../vendors/webhook.ts";

/** The pharmacy's event of each state. One step handles them all, and reads the order anew. */
const EVENTS: Record<PharmacyOrderState, string> = {
  accepted: "order.placed",
  needs_attention: "order.fulfillment",
  filling: "order.fulfillment",
  shipped: "order.fulfillment",
  out_for_delivery: "order.fulfillment",
  delivered: "order.completed",
  returned: "order.fulfillment",
  canceled: "order.canceled",
  failed: "order.error",
};

/**
 * The events of the pharmacy's orders that were not heard, one for each order and state. They are due to a state ahead of
 * ours, a second order under our reference, a reference in no row, or a live order with a cancelled row. Our rows are read
 * after the pharmacy's orders, so a webhook that came meanwhile counts as heard.
 */
export async function unheardOrders(
  trx: Trx,
  runId: number,
  orders: readonly PharmacyOrder[],
): Promise<VendorEvent<Hint<"pharmacy">>[]> {
  const ours = orders.filter(({ reference }) => reference !== null && isOurReference(reference));
  if (ours.length === 0) return [];
  const rows = await trx.selectFrom("tracker.orders")
    .select(["id", "state", "reference", "pharmacy_order_id"])
    .where("reference", "in", ours.map(({ reference }) => reference))
    .execute();
  const byReference = new Map(rows.map((row) => [row.reference, row]));
  const met = ours.flatMap(({ id, reference }) => {
    const row = byReference.get(reference ?? "");
    return row?.pharmacy_order_id === id ? [row.id] : [];
  });
  await mark(trx, runId, met);
  const heard = await heardOf(trx, ours);
  return ours.filter((order) => {
    const news = heard.get(order.id) ?? [];
    // A task under way will move our order.
    if (news.some(({ status }) => UNDER_WAY.includes(status))) return false;
    if (needsAttention(order.state) && !news.some(({ data }) => data["state"] === order.state)) return true;
    return isUnheard(order, byReference.get(order.reference ?? ""));
  }).map(({ id, reference, patientId, state }) => ({
    id: `listed:${id}:${state}`,
    type: EVENTS[state],
    attributes: { order_id: id, reference, patient_id: patientId, time: null, state },
  }));
}

function isUnheard(
  order: PharmacyOrder,
  row: { state: OrderState; pharmacy_order_id: string | null } | undefined,
): boolean {
  const isLive = isLiveAtPharmacy(order.state);
  if (row === undefined) return true;
  if (row.pharmacy_order_id !== null && row.pharmacy_order_id !== order.id) return isLive;
  if (row.state === "CANCELLED" && isLive) return true;
  return ORDER_STATES[STATE_AT_PHARMACY[order.state]] > ORDER_STATES[row.state];
}

/** The event of an order that the pharmacy no longer has: its step tries for some hours, then asks a person. */
export function goneAtPharmacy(pharmacyOrderId: string, reference: string): VendorEvent<Hint<"pharmacy">> {
  return {
    id: `listed:${pharmacyOrderId}:gone`,
    type: "order.fulfillment",
    attributes: { order_id: pharmacyOrderId, reference, patient_id: null, time: null, state: null },
  };
}

/** The recorded events about these orders, by the pharmacy's id of the order. */
async function heardOf(trx: Trx, orders: readonly PharmacyOrder[]): Promise<Map<string, FoundTask[]>> {
  const heard = await findEvents(trx, "pharmacy.order.", { order_id: orders.map(({ id }) => id) });
  return Map.groupBy(heard, ({ data }) => String(data["order_id"]));
}

async function mark(trx: Trx, runId: number, orderIds: readonly number[]): Promise<void> {
  if (orderIds.length === 0) return;
  await trx.insertInto("tracker.check_marks")
    .values([...new Set(orderIds)].map((order_id) => ({ run_id: runId, order_id })))
    .onConflict((conflict) => conflict.columns(["run_id", "order_id"]).doNothing())
    .execute();
}
