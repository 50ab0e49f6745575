import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { TrackerOrdersCancelCause, TrackerOrderStatesState } from "../db/types.ts";
import { unlessOpen } from "../queue/open.ts";
import { type FollowUp, Permanent } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { PharmacyOrder, PharmacyOrderState } from "../vendors/pharmacy.ts";

export type OrderState = TrackerOrderStatesState;

/** The ranks in `tracker.order_states`. A test compares the two. */
export const ORDER_STATES = {
  READY: 10,
  AWAITING_PRESCRIPTION: 10,
  AWAITING_SUBSCRIPTION: 10,
  HELD: 10,
  PLACED: 20,
  FILLING: 30,
  FAILED: 33,
  CANCELLED: 35,
  SHIPPED: 40,
  OUT_FOR_DELIVERY: 45,
  DELIVERED: 50,
  RETURNED: 60,
} as const satisfies Record<OrderState, number>;

/** Paid for, and not at the pharmacy. */
export const WAITING_STATES = [
  "READY",
  "AWAITING_PRESCRIPTION",
  "AWAITING_SUBSCRIPTION",
  "HELD",
] as const satisfies readonly OrderState[];

/** Why an order must not ship. `readdressed`: it is placed anew, to another address. */
export type CancelCause = TrackerOrdersCancelCause;

/** Our state for each of the pharmacy's. */
export const STATE_AT_PHARMACY: Record<PharmacyOrderState, OrderState> = {
  accepted: "PLACED",
  needs_attention: "PLACED",
  filling: "FILLING",
  shipped: "SHIPPED",
  out_for_delivery: "OUT_FOR_DELIVERY",
  delivered: "DELIVERED",
  returned: "RETURNED",
  canceled: "CANCELLED",
  failed: "FAILED",
};

/** The pharmacy may still ship it. */
export function isLiveAtPharmacy(state: PharmacyOrderState): boolean {
  const ours = STATE_AT_PHARMACY[state];
  return ours !== "CANCELLED" && ours !== "FAILED";
}

/** The pharmacy waits for a person of ours. */
export function needsAttention(state: string | null | undefined): boolean {
  return state === "needs_attention";
}

/** The operation of an order's create in `clockwork.effects`; the key is the order's reference. */
export const CREATE_ORDER = "create order";

/** Our references look like `<invoice line>:<fill>:<attempt>`. */
export function isOurReference(reference: string): boolean {
  return /^.+:\d+:\d+$/.test(reference);
}

/** A row of `tracker.orders`. */
export type Order = Awaited<ReturnType<typeof orderById>>;

export function isWaiting(order: Order): boolean {
  return ORDER_STATES[order.state] === ORDER_STATES.READY;
}

export function hasShipped(order: Order): boolean {
  return ORDER_STATES[order.state] >= ORDER_STATES.SHIPPED;
}

/** Placed, and can still be cancelled. */
export function isWithPharmacy(state: string): state is "PLACED" | "FILLING" {
  return state === "PLACED" || state === "FILLING";
}

/** The order. A missing one is for a person, whose edit the number comes from. */
export async function orderById(db: Database | Trx, id: number) {
  const order = await db.selectFrom("tracker.orders").selectAll().where("id", "=", id).executeTakeFirst();
  if (!order) throw new Permanent("ORDER_NOT_FOUND", { order: id });
  return order;
}

/** The order, locked until the transaction ends. */
export async function lockOrder(trx: Trx, id: number): Promise<Order> {
  return await trx.selectFrom("tracker.orders").selectAll().where("id", "=", id).forUpdate()
    .executeTakeFirstOrThrow();
}

/**
 * Moves an order forward, or between the waiting states. False when it is at or beyond `state` already: late and repeated
 * news change nothing.
 */
export async function moveOrder(trx: Trx, order: Order, state: OrderState): Promise<boolean> {
  if (order.state === state) return false;
  const [from, to] = [ORDER_STATES[order.state], ORDER_STATES[state]];
  if (to < from || (to === from && to !== ORDER_STATES.READY)) return false;
  await trx.updateTable("tracker.orders").set({ state }).where("id", "=", order.id).execute();
  return true;
}

/** Writes the pharmacy's id of an order, once. False: the order has another id. */
export async function claimPharmacyOrder(trx: Trx, order: Order, pharmacyOrderId: string): Promise<boolean> {
  if (order.pharmacy_order_id !== null) return order.pharmacy_order_id === pharmacyOrderId;
  await trx.updateTable("tracker.orders").set({ pharmacy_order_id: pharmacyOrderId })
    .where("id", "=", order.id).execute();
  return true;
}

/**
 * Forbids the order to ship. `order.place` reads this last before its send. The first cause stays, but for
 * `readdressed`, which gives way to any other.
 */
export async function requestCancel(db: Database | Trx, orderId: number, cause: CancelCause): Promise<void> {
  await db
    .updateTable("tracker.orders")
    .set({ cancel_requested_at: sql`coalesce(cancel_requested_at, clockwork.now())`, cancel_cause: cause })
    .where("id", "=", orderId)
    .where((eb) => eb.or([eb("cancel_requested_at", "is", null), eb("cancel_cause", "=", "readdressed")]))
    .execute();
}

/** The follow-ups of a cancel that we asked for: the CRM is told, or a readdressed order is replaced. */
export function afterCancel(order: Order): FollowUp[] {
  return order.cancel_cause === "readdressed"
    ? [{ step: "order.replace", data: { order_id: order.id } }]
    : [{ step: "order.tell_crm", data: { order_id: order.id, fact: "order_cancelled" } }];
}

/** The check of an order that was placed with an address that may be a former one. */
export function checkAddress(order: Order): FollowUp {
  return { step: "owner.check_address", data: { customer_id: order.customer_id } };
}

/** Writes the product to the line's orders that are not placed yet. True when one had another. */
export async function correctProduct(trx: Trx, invoiceLineId: string, productId: number): Promise<boolean> {
  const corrected = await trx
    .updateTable("tracker.orders")
    .set({ product_id: productId })
    .where("invoice_line_id", "=", invoiceLineId)
    .where("state", "in", WAITING_STATES)
    .where("product_id", "<>", productId)
    .returning("id")
    .execute();
  return corrected.length > 0;
}

/** The order that replaces this one, if there is one. */
export async function replacementOf(db: Database | Trx, order: Order): Promise<number | undefined> {
  const replacement = await db
    .selectFrom("tracker.orders")
    .select("id")
    .where("invoice_line_id", "=", order.invoice_line_id)
    .where("fill_number", "=", order.fill_number)
    .where("attempt", "=", order.attempt + 1)
    .executeTakeFirst();
  return replacement?.id;
}

/** Writes the pharmacy's state of the parcel to `tracker.shipments`, and moves it forward only. */
export async function recordShipment(trx: Trx, orderId: number, order: PharmacyOrder): Promise<void> {
  const { carrier, trackingNumber } = order;
  const state = STATE_AT_PHARMACY[order.state];
  if (!carrier || !trackingNumber || ORDER_STATES[state] < ORDER_STATES.SHIPPED) return;
  await sql`
    insert into tracker.shipments as parcel (order_id, state, carrier, tracking_number, delivered_at)
    values (${orderId}, ${state}, ${carrier}, ${trackingNumber},
      case when ${state} = 'DELIVERED' then clockwork.now() end)
    on conflict on constraint one_row_per_parcel do update
      set state = excluded.state, delivered_at = coalesce(parcel.delivered_at, excluded.delivered_at)
      where (select rank from tracker.order_states where order_states.state = excluded.state)
          > (select rank from tracker.order_states where order_states.state = parcel.state)
  `.execute(trx);
}

/**
 * Checks waiting orders now, because their wait may be over; also checks that stopped at a person, but none that a person
 * cancelled. A run that checks an order at this moment sees the new `released_at`.
 */
export async function releaseOrders(
  trx: Trx,
  which: { customer_id: number } | { id: number },
): Promise<void> {
  const orders = await trx
    .updateTable("tracker.orders")
    .set({ released_at: sql`clockwork.now()` })
    .where((eb) => eb.and(which))
    .where("state", "in", WAITING_STATES)
    .where("cancel_requested_at", "is", null)
    .returning(["id", "state"])
    .execute();
  const waiting = orders.filter((order) => order.state !== "READY").map(({ id }) => id);
  await wakeTasks(trx, { step: "order.place", about: { order_id: waiting } }, { alsoWaiting: true });
}

/** Checks the customer's orders that stopped for want of an address, which may be there now. */
export async function resumeAddressless(trx: Trx, customerId: number): Promise<void> {
  await wakeTasks(trx, { step: "order.place", customerId, reasonCode: "NO_SHIPPING_ADDRESS" });
}

/** The task that cancels one order. */
export function cancelOf(order: Order, cause: CancelCause): FollowUp {
  return { step: "order.cancel", data: { order_id: order.id, cause } };
}

/** The task that cancels a second order at the pharmacy for one of ours, unless it is open. */
export async function cancelDuplicate(
  trx: Trx,
  orderId: number,
  pharmacyOrderId: string,
): Promise<FollowUp[]> {
  const data = { order_id: orderId, pharmacy_order_id: pharmacyOrderId };
  return await unlessOpen(trx, { step: "order.cancel_duplicate", data });
}
