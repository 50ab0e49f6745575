import type { Trx } from "../../db/database.ts";
import {
  afterCancel,
  cancelDuplicate,
  checkAddress,
  claimPharmacyOrder,
  CREATE_ORDER,
  hasShipped,
  isLiveAtPharmacy,
  isOurReference,
  isWaiting,
  isWithPharmacy,
  lockOrder,
  moveOrder,
  needsAttention,
  type Order,
  ORDER_STATES,
  type OrderState,
  recordShipment,
  replacementOf,
  STATE_AT_PHARMACY,
} from "../../orders/orders.ts";
import { ask, type Question } from "../../queue/ask.ts";
import { type FollowUp, Permanent, reason, type ReasonCode, Retryable } from "../../queue/reasons.ts";
import { confirmAsSeen } from "../../queue/effects.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineStep, type StepContext } from "../../queue/step.ts";
import { PHARMACY_ORDER_STATES, type PharmacyOrder } from "../../vendors/pharmacy.ts";
import { pharmacyOrderHint } from "../../vendors/hints.ts";

/**
 * The pharmacy tells of an order: it is read anew, and our order and its parcel move forward to where it stands.
 * Late and repeated events change nothing. What the pharmacy did against our wish goes to a person.
 */
export const pharmacyOrderEvent = defineStep({
  handles: [
    "pharmacy.order.created",
    "pharmacy.order.placed",
    "pharmacy.order.fulfillment",
    "pharmacy.order.rerouted",
    "pharmacy.order.completed",
    "pharmacy.order.canceled",
    "pharmacy.order.error",
  ],
  queue: "pharmacy",
  data: pharmacyOrderHint,
  async run(ctx, { order_id: pharmacyOrderId, state: toldState }) {
    const seen = await ctx.vendors.pharmacy.getOrder(pharmacyOrderId);
    if (!seen) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
    const { reference } = seen;
    if (!reference || !isOurReference(reference)) {
      return { kind: "parked", reason: reason("NOT_OURS", { order: pharmacyOrderId }) };
    }
    const found = await ctx.deps.db
      .selectFrom("tracker.orders")
      .select(["id", "customer_id", "invoice_id"])
      .where("reference", "=", reference)
      .executeTakeFirst();
    if (!found) throw new Permanent("UNKNOWN_ORDER", { reference });
    ctx.about({ customerId: found.customer_id, invoiceId: found.invoice_id });
    if (isBehind(seen, toldState)) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
    const commit = async (trx: Trx) => await follow(trx, ctx, await lockOrder(trx, found.id), seen);
    return needsAttention(seen.state)
      ? { kind: "stopped", reason: reason("PHARMACY_NEEDS_ATTENTION", { order: found.id }), commit }
      : { kind: "done", commit };
  },
});

/** True when the read shows less progress than the event told: the pharmacy's reads lag behind its messages. */
function isBehind(seen: PharmacyOrder, toldState: string | null | undefined): boolean {
  const told = PHARMACY_ORDER_STATES.find((state) => state === toldState);
  if (!told || !isLiveAtPharmacy(told) || !isLiveAtPharmacy(seen.state)) return false;
  return ORDER_STATES[STATE_AT_PHARMACY[seen.state]] < ORDER_STATES[STATE_AT_PHARMACY[told]];
}

async function follow(trx: Trx, ctx: StepContext, order: Order, seen: PharmacyOrder): Promise<FollowUp[]> {
  const isLive = isLiveAtPharmacy(seen.state);
  if (!(await claimPharmacyOrder(trx, order, seen.id))) {
    return isLive ? await cancelDuplicate(trx, order.id, seen.id) : [];
  }
  await confirmAsSeen(trx, { vendor: "pharmacy", operation: CREATE_ORDER, key: order.reference }, seen.id);
  const state = STATE_AT_PHARMACY[seen.state];
  await recordShipment(trx, order.id, seen);
  const moved = await moveOrder(trx, order, state);
  if (moved) {
    // The pharmacy told of it before our own run could: what that run knew of the address is lost.
    const addressNews = isWaiting(order) && isWithPharmacy(state) ? [checkAddress(order)] : [];
    await askPerson(trx, ctx, order, state);
    return [...addressNews, ...tellCrm(order, state)];
  }
  // We took the order for cancelled, but the pharmacy still works on it.
  const isRevived = order.state === "CANCELLED" && isLive && ORDER_STATES[state] < ORDER_STATES.CANCELLED;
  return isRevived
    ? [{ step: "order.cancel", data: { order_id: order.id, cause: order.cancel_cause ?? "person" } }]
    : [];
}

const FACTS: Partial<Record<OrderState, DataOf<"order.tell_crm">["fact"]>> = {
  PLACED: "order_placed",
  SHIPPED: "order_shipped",
  DELIVERED: "order_delivered",
};

function tellCrm(order: Order, state: OrderState): FollowUp[] {
  if (state === "CANCELLED" && order.cancel_requested_at) return afterCancel(order);
  const fact = FACTS[state];
  return fact ? [{ step: "order.tell_crm", data: { order_id: order.id, fact } }] : [];
}

/** Resending the question does what it proposes. */
async function askPerson(trx: Trx, ctx: StepContext, order: Order, state: OrderState): Promise<void> {
  const [order_id, cause] = [order.id, order.cancel_cause ?? "person"];
  const why = (code: ReasonCode) => reason(code, { order: order_id, cause });
  const replace = (code: ReasonCode): Proposal => ({
    step: "order.replace",
    data: { order_id },
    person: why(code),
  });
  const cancel = (code: ReasonCode): Proposal => ({
    step: "order.cancel",
    data: { order_id, cause },
    person: why(code),
  });
  const question = await questionAbout(trx, order, state, replace, cancel);
  if (question) await ask(trx, ctx, question, { about: { order_id }, evenIfDropped: true });
}

type Proposal = Question<"order.replace" | "order.cancel">;
type Ask = (code: ReasonCode) => Proposal;

async function questionAbout(
  trx: Trx,
  order: Order,
  state: OrderState,
  replace: Ask,
  cancel: Ask,
): Promise<Proposal | undefined> {
  const isToBeCancelled = order.cancel_requested_at !== null;
  switch (state) {
    case "FAILED":
      return isToBeCancelled ? undefined : replace("PHARMACY_FAILED");
    case "RETURNED":
      return replace("PARCEL_RETURNED");
    case "CANCELLED":
      // A failed order is cancelled by us when it is replaced; a person was asked when it failed.
      return isToBeCancelled || order.state === "FAILED" ? undefined : replace("PHARMACY_CANCELLED");
    default: {
      if (ORDER_STATES[state] < ORDER_STATES.SHIPPED || hasShipped(order)) return undefined;
      const wasCancelled = order.state === "CANCELLED";
      if (isToBeCancelled) return cancel(wasCancelled ? "SHIPPED_AFTER_CANCEL" : "ALREADY_SHIPPED");
      // The pharmacy had ended it, a person had it replaced, and now it ships after all: two parcels.
      return (await replacementOf(trx, order)) ? cancel("SHIPPED_AFTER_CANCEL") : undefined;
    }
  }
}
