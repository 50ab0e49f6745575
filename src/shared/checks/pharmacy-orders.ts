import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import {
  isLiveAtPharmacy,
  isOurReference,
  needsAttention,
  ORDER_STATES,
  type OrderState,
  STATE_AT_PHARMACY,
} from "../orders/orders.ts";
import type { PharmacyOrder, PharmacyOrderState, VendorEvent } from "../vendors/contract.ts";

/** The event that would have told of each state. One step handles them all, and reads the order anew. */
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

/** Order events under way: what came in is acted on soon, whatever our order says now. */
interface Heard {
  orderId: string;
  isUnderWay: boolean;
  toldNeedsAttention: boolean;
}

/**
 * What the pharmacy's orders say and no message told: a state ahead of ours, a second order under our reference, a
 * reference of ours that we do not know, an order that lives though we hold it cancelled. Ours are read after theirs, so
 * what a webhook brought meanwhile counts as heard. An event once per order and state.
 */
export async function untoldByPharmacy(
  trx: Trx,
  runId: number,
  seen: readonly PharmacyOrder[],
): Promise<VendorEvent[]> {
  const ours = seen.filter(({ reference }) => reference !== null && isOurReference(reference));
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
  const heard = new Map((await heardOf(trx, ours)).map((one) => [one.orderId, one]));
  return ours.filter((order) => {
    const news = heard.get(order.id);
    if (news?.isUnderWay) return false;
    if (needsAttention(order) && !news?.toldNeedsAttention) return true;
    return isUntold(order, byReference.get(order.reference ?? ""));
  }).map((order) => toEvent(order));
}

function isUntold(
  order: PharmacyOrder,
  row: { state: OrderState; pharmacy_order_id: string | null } | undefined,
): boolean {
  const isLive = isLiveAtPharmacy(order.state);
  if (row === undefined) return true;
  if (row.pharmacy_order_id !== null && row.pharmacy_order_id !== order.id) return isLive;
  if (row.state === "CANCELLED" && isLive) return true;
  return ORDER_STATES[STATE_AT_PHARMACY[order.state]] > ORDER_STATES[row.state];
}

function toEvent({ id, reference, patientId, state }: PharmacyOrder): VendorEvent {
  return {
    id: `listed:${id}:${state}`,
    type: EVENTS[state],
    attributes: { order_id: id, reference, patient_id: patientId, time: null, state },
  };
}

/** An order of ours that the pharmacy says it does not have: the step looks for some hours, then a person must. */
export function goneAtPharmacy(pharmacyOrderId: string, reference: string): VendorEvent {
  return {
    id: `listed:${pharmacyOrderId}:gone`,
    type: "order.fulfillment",
    attributes: { order_id: pharmacyOrderId, reference, patient_id: null, time: null, state: null },
  };
}

async function heardOf(trx: Trx, orders: readonly PharmacyOrder[]): Promise<Heard[]> {
  const { rows } = await sql<Heard>`
    select data ->> 'order_id' as "orderId", bool_or(status in ('PENDING', 'QUEUED')) as "isUnderWay",
      bool_or(data ->> 'state' = 'needs_attention') is true as "toldNeedsAttention"
    from clockwork.tasks
    where step like 'pharmacy.order.%' and data ->> 'order_id' = any (${orders.map(({ id }) => id)}::text[])
    group by data ->> 'order_id'
  `.execute(trx);
  return rows;
}

async function mark(trx: Trx, runId: number, orderIds: readonly number[]): Promise<void> {
  if (orderIds.length === 0) return;
  await trx.insertInto("tracker.check_marks")
    .values([...new Set(orderIds)].map((order_id) => ({ run_id: runId, order_id })))
    .onConflict((conflict) => conflict.columns(["run_id", "order_id"]).doNothing())
    .execute();
}
