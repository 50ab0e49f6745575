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
  PLACED: 20,
  FILLING: 30,
  FAILED: 33,
  CANCELLED: 35,
  SHIPPED: 40,
  OUT_FOR_DELIVERY: 45,
  DELIVERED: 50,
  RETURNED: 60,
} as const satisfies Record<OrderState, number>;

/** Why an order must not ship. `readdressed`: it is placed anew, to another address. */
export type CancelCause = TrackerOrdersCancelCause;

/** What the pharmacy's word for an order's state means for ours. */
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

/** The operation under which an order's create is kept in `clockwork.effects`; the key is its reference. */
export const CREATE_ORDER = "create order";

/** Our references look like `<invoice line>:<fill>:<attempt>`. */
export function isOurReference(reference: string): boolean {
  return /^.+:\d+:\d+$/.test(reference);
}

/** A row of `tracker.orders`, as the steps use it. */
export type Order = Awaited<ReturnType<typeof orderById>>;

export function isWaiting(order: Order): boolean {
  return ORDER_STATES[order.state] === ORDER_STATES.READY;
}

export function hasShipped(order: Order): boolean {
  return ORDER_STATES[order.state] >= ORDER_STATES.SHIPPED;
}

/** Placed, and still where it can be called back. */
export function isWithPharmacy(state: string): state is "PLACED" | "FILLING" {
  return state === "PLACED" || state === "FILLING";
}

/** The order; one that is not there is for a person (the number came from a person's edit). */
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
 * Moves an order forward. False when it stands at or beyond `state` already: late and repeated news change nothing.
 * Also true for a move between the waiting states.
 */
export async function moveOrder(trx: Trx, order: Order, state: OrderState): Promise<boolean> {
  if (order.state === state) return false;
  const [from, to] = [ORDER_STATES[order.state], ORDER_STATES[state]];
  if (to < from || (to === from && to !== ORDER_STATES.READY)) return false;
  await trx.updateTable("tracker.orders").set({ state }).where("id", "=", order.id).execute();
  return true;
}

/** The pharmacy's id of an order is set once. False: the order is already another one of the pharmacy's. */
export async function claimPharmacyOrder(trx: Trx, order: Order, pharmacyOrderId: string): Promise<boolean> {
  if (order.pharmacy_order_id === null) {
    await trx.updateTable("tracker.orders").set({ pharmacy_order_id: pharmacyOrderId }).where(
      "id",
      "=",
      order.id,
    ).execute();
    return true;
  }
  return order.pharmacy_order_id === pharmacyOrderId;
}

/**
 * From here on the order must not ship. Its own statement: whoever is about to place it looks for this last. The first
 * cause stands; only one that wants the order placed anew gives way to one that does not.
 */
export async function requestCancel(db: Database | Trx, orderId: number, cause: CancelCause): Promise<void> {
  await db
    .updateTable("tracker.orders")
    .set({
      cancel_requested_at: sql`coalesce(cancel_requested_at, clockwork.now())`,
      cancel_cause: cause,
    })
    .where("id", "=", orderId)
    .where((eb) => eb.or([eb("cancel_requested_at", "is", null), eb("cancel_cause", "=", "readdressed")]))
    .execute();
}

/** What follows when a cancel that we asked for came about: the CRM is told; or, to another address, the order is placed anew. */
export function afterCancel(order: Order): FollowUp[] {
  return order.cancel_cause === "readdressed"
    ? [{ step: "order.replace", data: { order_id: order.id } }]
    : [{ step: "order.tell_crm", data: { order_id: order.id, fact: "order_cancelled" } }];
}

/** An order came to be with the pharmacy, and nobody can say that its address is still the customer's. */
export function checkAddress(order: Order): FollowUp {
  return { step: "owner.check_address", data: { customer_id: order.customer_id } };
}

/** Gives the line's orders that were not placed yet the right product. True when one had another. */
export async function correctProduct(trx: Trx, invoiceLineId: string, productId: number): Promise<boolean> {
  const corrected = await trx
    .updateTable("tracker.orders")
    .set({ product_id: productId })
    .where("invoice_line_id", "=", invoiceLineId)
    .where("state", "in", ["READY", "AWAITING_PRESCRIPTION", "AWAITING_SUBSCRIPTION"])
    .where("product_id", "<>", productId)
    .returning("id")
    .execute();
  return corrected.length > 0;
}

/** The order that replaces this one, if there is one. */
export async function replacementOf(db: Database | Trx, order: Order): Promise<number | undefined> {
  const later = await db
    .selectFrom("tracker.orders")
    .select("id")
    .where("invoice_line_id", "=", order.invoice_line_id)
    .where("fill_number", "=", order.fill_number)
    .where("attempt", "=", order.attempt + 1)
    .executeTakeFirst();
  return later?.id;
}

/** Records what the pharmacy says of the parcel; only ever forward. */
export async function recordShipment(trx: Trx, orderId: number, seen: PharmacyOrder): Promise<void> {
  const state = STATE_AT_PHARMACY[seen.state];
  if (!seen.carrier || !seen.trackingNumber || ORDER_STATES[state] < ORDER_STATES.SHIPPED) return;
  await sql`
    insert into tracker.shipments as parcel (order_id, state, carrier, tracking_number, delivered_at)
    values (${orderId}, ${state}, ${seen.carrier}, ${seen.trackingNumber},
      case when ${state} = 'DELIVERED' then clockwork.now() end)
    on conflict on constraint one_row_per_parcel do update
      set state = excluded.state, delivered_at = coalesce(parcel.delivered_at, excluded.delivered_at)
      where (select rank from tracker.order_states where order_states.state = excluded.state)
          > (select rank from tracker.order_states where order_states.state = parcel.state)
  `.execute(trx);
}

/** Which orders something happened to. */
export type Released = { customer_id: number } | { subscription_id: string };

/**
 * Something happened that may end the wait of orders: their checks run now, those that stopped at a person too.
 * An order that is being checked at this moment learns it from `released_at`. A check that a person dropped stays
 * dropped.
 */
export async function releaseOrders(trx: Trx, which: Released): Promise<void> {
  const [column, value] = "customer_id" in which
    ? (["customer_id", which.customer_id] as const)
    : (["subscription_id", which.subscription_id] as const);
  const orders = await trx
    .updateTable("tracker.orders")
    .set({ released_at: sql`clockwork.now()` })
    .where(column, "=", value)
    .where("state", "in", ["READY", "AWAITING_PRESCRIPTION", "AWAITING_SUBSCRIPTION"])
    .where("cancel_requested_at", "is", null)
    .returning(["id", "state"])
    .execute();
  const waiting = orders.filter((order) => order.state !== "READY").map(({ id }) => id);
  await wakeTasks(trx, { step: "order.place", about: { order_id: waiting } }, { alsoWaiting: true });
}

/** The customer has an address again, perhaps: orders that stopped for want of one are checked now. */
export async function resumeAddressless(trx: Trx, customerId: number): Promise<void> {
  await wakeTasks(trx, { step: "order.place", customerId, reasonCode: "NO_SHIPPING_ADDRESS" });
}

/** What to do about a second order at the pharmacy for one of ours: nothing while it is being seen to. */
export async function cancelDuplicate(
  trx: Trx,
  orderId: number,
  pharmacyOrderId: string,
): Promise<FollowUp[]> {
  const data = { order_id: orderId, pharmacy_order_id: pharmacyOrderId };
  return await unlessOpen(trx, { step: "order.cancel_duplicate", data });
}
