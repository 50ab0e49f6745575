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
import { confirmEffect } from "../../queue/effects.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineStep, type StepContext } from "../../queue/step.ts";
import { wakeTasks } from "../../queue/wake.ts";
import { PHARMACY_ORDER_STATES, type PharmacyOrder } from "../../vendors/pharmacy.ts";
import { pharmacyOrderHint } from "../../vendors/hints.ts";

/**
 * An event about a pharmacy's order: the order is read anew, and `tracker.orders` and its parcel move forward to its state.
 * Late and repeated events change nothing. A state against our wish goes to a person.
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
  async run(ctx, { order_id: pharmacyOrderId, state }) {
    const theirs = await ctx.vendors.pharmacy.getOrder(pharmacyOrderId);
    if (!theirs) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
    const { reference } = theirs;
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
    if (isBehind(theirs, state)) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
    const commit = async (trx: Trx) => await follow(trx, ctx, await lockOrder(trx, found.id), theirs);
    return needsAttention(theirs.state)
      ? { kind: "stopped", reason: reason("PHARMACY_NEEDS_ATTENTION", { order: found.id }), commit }
      : { kind: "done", commit };
  },
});

/** True when the read shows less progress than the event: the pharmacy's reads lag behind its messages. */
function isBehind(theirs: PharmacyOrder, eventState: string | null | undefined): boolean {
  const reported = PHARMACY_ORDER_STATES.find((state) => state === eventState);
  if (!reported || !isLiveAtPharmacy(reported) || !isLiveAtPharmacy(theirs.state)) return false;
  return ORDER_STATES[STATE_AT_PHARMACY[theirs.state]] < ORDER_STATES[STATE_AT_PHARMACY[reported]];
}

async function follow(trx: Trx, ctx: StepContext, order: Order, theirs: PharmacyOrder): Promise<FollowUp[]> {
  const isLive = isLiveAtPharmacy(theirs.state);
  if (!(await claimPharmacyOrder(trx, order, theirs.id))) {
    return isLive ? await cancelDuplicate(trx, order.id, theirs.id) : [];
  }
  await confirmEffect(trx, { vendor: "pharmacy", operation: CREATE_ORDER, key: order.reference }, theirs.id);
  const state = STATE_AT_PHARMACY[theirs.state];
  await recordShipment(trx, order.id, theirs);
  if (await moveOrder(trx, order, state)) {
    // The event came before the run of order.place ended, so nobody compared the address.
    const addressNews = isWaiting(order) && isWithPharmacy(state) ? [checkAddress(order)] : [];
    await askPerson(trx, ctx, order, state);
    if (state === "DELIVERED") await endQuestions(trx, order);
    return [...addressNews, ...tellCrm(order, state)];
  }
  // Cancelled in tracker.orders, but the pharmacy still works on it.
  const isRevived = order.state === "CANCELLED" && isLive && ORDER_STATES[state] < ORDER_STATES.CANCELLED;
  return isRevived
    ? [{ step: "order.cancel", data: { order_id: order.id, cause: order.cancel_cause ?? "person" } }]
    : [];
}

/** Questions that stand until the parcel is delivered run again: they end, unless another fill is in question too. */
async function endQuestions(trx: Trx, { id, invoice_id }: Order): Promise<void> {
  await wakeTasks(trx, { step: "order.cancel", about: { order_id: id }, reasonCode: "ALREADY_SHIPPED" });
  await wakeTasks(trx, { step: "order.decide", invoiceId: [invoice_id] });
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

async function askPerson(trx: Trx, ctx: StepContext, order: Order, state: OrderState): Promise<void> {
  const [order_id, cause] = [order.id, order.cancel_cause ?? "person"];
  const proposal = await proposalFor(trx, order, state);
  if (!proposal) return;
  const person = reason(proposal.code, { order: order_id, cause });
  const question: Question<"order.replace" | "order.cancel"> = proposal.step === "order.replace"
    ? { step: "order.replace", data: { order_id }, person }
    : { step: "order.cancel", data: { order_id, cause }, person };
  await ask(trx, ctx, question, { about: { order_id }, evenIfCancelled: true });
}

/** The step that a resend of the question runs, and the reason to ask. */
interface Proposal {
  step: "order.replace" | "order.cancel";
  code: ReasonCode;
}

async function proposalFor(trx: Trx, order: Order, state: OrderState): Promise<Proposal | undefined> {
  const isToBeCancelled = order.cancel_requested_at !== null;
  switch (state) {
    case "FAILED":
      return isToBeCancelled ? undefined : { step: "order.replace", code: "PHARMACY_FAILED" };
    case "RETURNED":
      return { step: "order.replace", code: "PARCEL_RETURNED" };
    case "CANCELLED":
      // order.replace cancels a failed order; a person was asked when it failed.
      return isToBeCancelled || order.state === "FAILED"
        ? undefined
        : { step: "order.replace", code: "PHARMACY_CANCELLED" };
    default: {
      if (ORDER_STATES[state] < ORDER_STATES.SHIPPED || hasShipped(order)) return undefined;
      const isLate = order.state === "CANCELLED";
      if (isToBeCancelled) {
        return { step: "order.cancel", code: isLate ? "SHIPPED_AFTER_CANCEL" : "ALREADY_SHIPPED" };
      }
      // The pharmacy had ended the order, a person had it replaced, and now it ships after all: two parcels.
      const isReplaced = await replacementOf(trx, order) !== undefined;
      return isReplaced ? { step: "order.cancel", code: "SHIPPED_AFTER_CANCEL" } : undefined;
    }
  }
}
