import { CREATE_VISIBLE_AFTER_SECONDS, createEffectOf, findAtPharmacy } from "../../orders/at-pharmacy.ts";
import { judgePrescriptions } from "../../prescriptions/judge.ts";
import { notDueYet } from "../../orders/fills.ts";
import type { Case } from "../../orders/cases.ts";
import {
  type CancelCause,
  cancelDuplicate,
  cancelOf,
  checkAddress,
  claimPharmacyOrder,
  CREATE_ORDER,
  isWaiting,
  lockOrder,
  moveOrder,
  type Order,
  orderById,
  type OrderState,
  requestCancel,
} from "../../orders/orders.ts";
import { questionAbout, treatmentOf } from "../../orders/questions.ts";
import { judgeOrders, ordersOf } from "../../orders/verdict.ts";
import { type Customer, customerById, keyOf } from "../../registry/customers.ts";
import { rxnormCodesOf } from "../../registry/products.ts";
import type { Trx } from "../../db/database.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import { type FollowUp, Permanent, type Reason, reason, type ReasonCode } from "../../queue/reasons.ts";
import { type Commit, defineOwnStep, Halt, type StepContext } from "../../queue/step.ts";
import { ask } from "../../queue/ask.ts";
import { wakeTasks } from "../../queue/wake.ts";
import type { ShippingAddress } from "../../vendors/contract.ts";

/** The order as it is sent to the pharmacy. */
interface Placement {
  patientId: string;
  prescriptionId: string;
  pharmacyPrescriptionId: string;
  address: ShippingAddress;
}

/**
 * Places a paid fill at the pharmacy, once; also the recheck of an order that waits. The payment, the subscription, the
 * prescription and the address are read from their owners at the moment of use.
 */
export const orderPlace = defineOwnStep("order.place", {
  queue: "pharmacy",
  async run(ctx, { order_id: orderId }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    if (!isWaiting(order)) return { kind: "done" };
    if (order.fill_on > ctx.now()) {
      const why = notDueYet(order.fill_on, await pharmacyZone(ctx.deps.db));
      return { kind: "wait", until: order.fill_on, reason: why };
    }
    const customer = await customerById(ctx.deps.db, order.customer_id);
    let placement: Placement | undefined;
    // An order that may be at the pharmacy already is looked up there first: checks would meet its own used-up fill.
    if (!(await createEffectOf(ctx, order))) placement = await prepare(ctx, order, customer);
    const pharmacyOrderId = await ctx.once({
      vendor: "pharmacy",
      operation: CREATE_ORDER,
      key: order.reference,
      visibleAfterSeconds: CREATE_VISIBLE_AFTER_SECONDS,
      find: () => findAtPharmacy(ctx, customer, order),
      guard: async () => {
        placement ??= await prepare(ctx, order, customer);
        await endIfCancelled(ctx, order);
      },
      send: async () => {
        if (!placement) throw new Error("an order is never sent without its placement");
        const { patientId, pharmacyPrescriptionId: prescriptionId, address } = placement;
        const { reference } = order;
        const made = await ctx.vendors.pharmacy.createOrder({
          patientId,
          prescriptionId,
          reference,
          address,
        });
        return made.id;
      },
    });
    if (pharmacyOrderId === null) throw new Error("the pharmacy's order has no id");
    return { kind: "done", commit: placed(order, pharmacyOrderId, placement?.prescriptionId ?? null) };
  },
});

/** A refund that comes in during the checks sets `cancel_requested_at`: it is read last, after the claim in the ledger. */
async function endIfCancelled(ctx: StepContext, order: Order): Promise<void> {
  const { cancel_requested_at } = await orderById(ctx.deps.db, order.id);
  if (cancel_requested_at) throw new Halt({ kind: "done" });
}

async function prepare(
  ctx: StepContext,
  order: Order,
  customer: Customer,
): Promise<Placement> {
  await endIfCancelled(ctx, order);
  await refuseUnlessItShips(ctx, order);
  const patient = keyOf(customer, "health_patient_id");
  const patientId = keyOf(customer, "pharmacy_patient_id");
  for (const prescriptionId of await validPrescriptions(ctx, order, patient)) {
    const atPharmacy = await ctx.vendors.pharmacy.findPrescription({ patientId, reference: prescriptionId });
    if (!atPharmacy?.active || atPharmacy.fillsRemaining === 0) continue;
    const address = await ctx.vendors.health.getShippingAddress(patient);
    if (!address) throw new Permanent("NO_SHIPPING_ADDRESS", { customer: customer.id });
    return { patientId, prescriptionId, pharmacyPrescriptionId: atPharmacy.id, address };
  }
  throw waitFor(ctx, order, "AWAITING_PRESCRIPTION", reason("PRESCRIPTION_NOT_AT_PHARMACY"));
}

/** Asks the one place whether the fill is still paid for and wanted. */
async function refuseUnlessItShips(ctx: StepContext, order: Order): Promise<void> {
  const all = await ordersOf(ctx.deps.db, order.invoice_id);
  const verdict = (await judgeOrders(ctx, all, [order])).get(order.id);
  if (!verdict) throw new Error("an order is judged");
  const treatment = await treatmentOf(ctx.deps.db, order, verdict);
  switch (treatment.notSent) {
    case "ships":
      return;
    case "waits":
      throw waitFor(
        ctx,
        order,
        "AWAITING_SUBSCRIPTION",
        reason(WAITS[verdict.case] ?? "SUBSCRIPTION_PAUSED"),
      );
    case "held": {
      const question = questionAbout(order, verdict);
      throw waitFor(ctx, order, "HELD", reason("FILL_IN_QUESTION"), async (trx) => {
        if (question) await ask(trx, ctx, question);
      });
    }
    case "called off":
      throw callOff(order, treatment.cause ?? "person");
  }
}

const WAITS: Partial<Record<Case, ReasonCode>> = {
  PAUSED: "SUBSCRIPTION_PAUSED",
  INCOMPLETE: "SUBSCRIPTION_INCOMPLETE",
  INQUIRED: "CHARGE_INQUIRED",
};

function callOff(order: Order, cause: CancelCause): Halt {
  return new Halt({
    kind: "cancelled",
    reason: reason("ORDER_CALLED_OFF", { order: order.id, why: WHY[cause] }),
    commit: async (trx): Promise<FollowUp[]> => {
      const current = await lockOrder(trx, order.id);
      await requestCancel(trx, order.id, cause);
      // The pharmacy's event of an unanswered create came meanwhile: the order is cancelled at the pharmacy.
      if (!isWaiting(current)) return [cancelOf(order, cause)];
      const moved = await moveOrder(trx, current, "CANCELLED");
      return moved ? [{ step: "order.tell_crm", data: { order_id: order.id, fact: "order_cancelled" } }] : [];
    },
  });
}

const WHY: Record<CancelCause, string> = {
  refunded: "its money went back",
  disputed: "a dispute took its money",
  voided: "it is not paid for",
  person: "a person called it off",
  readdressed: "it goes to another address",
};

async function validPrescriptions(ctx: StepContext, order: Order, patientId: string): Promise<string[]> {
  const timeZone = await pharmacyZone(ctx.deps.db);
  const codes = await rxnormCodesOf(ctx.deps.db, order.product_id);
  if (codes.size === 0) throw new Permanent("PRODUCT_HAS_NO_CODE", { product: order.product_id });
  const prescriptions = await ctx.vendors.health.listPrescriptions(patientId);
  const verdict = judgePrescriptions(prescriptions, codes, ctx.now(), timeZone);
  if (verdict.kind === "valid") return verdict.prescriptionIds;
  if (verdict.kind === "none") {
    const why = reason("NO_VALID_PRESCRIPTION", { why: verdict.why });
    throw waitFor(ctx, order, "AWAITING_PRESCRIPTION", why);
  }
  throw new Halt({
    kind: "stopped",
    reason: reason("PRESCRIPTION_UNCLEAR", { what: verdict.what }),
    commit: wait(ctx, order, "AWAITING_PRESCRIPTION", nothingMore),
  });
}

/** The order waits, and this task is its recheck: soon at first, then daily, so that no missed wake can strand it. */
function waitFor(
  ctx: StepContext,
  order: Order,
  state: OrderState,
  why: Reason,
  more: (trx: Trx) => Promise<void> = nothingMore,
): Halt {
  const now = ctx.now();
  const waited = now.getTime() - Math.max(order.created_at.getTime(), order.fill_on.getTime());
  const until = new Date(now.getTime() + recheckAfter(waited));
  return new Halt({ kind: "wait", until, reason: why, commit: wait(ctx, order, state, more) });
}

const nothingMore = () => Promise.resolve();

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Milliseconds to the next check of an order that has waited for `waited` milliseconds. */
export function recheckAfter(waited: number): number {
  if (waited < 10 * MINUTE_MS) return 2 * MINUTE_MS;
  if (waited < HOUR_MS) return 10 * MINUTE_MS;
  if (waited < 24 * HOUR_MS) return HOUR_MS;
  return 24 * HOUR_MS;
}

function wait(
  ctx: StepContext,
  order: Order,
  state: OrderState,
  more: (trx: Trx) => Promise<void>,
): Commit {
  return async (trx) => {
    const current = await lockOrder(trx, order.id);
    await moveOrder(trx, current, state);
    // An event released the order after it was read: check again at once.
    if (current.released_at?.getTime() !== order.released_at?.getTime()) {
      await wakeTasks(trx, { ids: [ctx.task.id] }, { alsoWaiting: true });
    }
    await more(trx);
  };
}

function placed(read: Order, pharmacyOrderId: string, prescriptionId: string | null): Commit {
  return async (trx) => {
    const order = await lockOrder(trx, read.id);
    if (!(await claimPharmacyOrder(trx, order, pharmacyOrderId))) {
      return await cancelDuplicate(trx, order.id, pharmacyOrderId);
    }
    if (prescriptionId) {
      await trx.updateTable("tracker.orders").set({ prescription_id: prescriptionId })
        .where("id", "=", order.id).execute();
    }
    const moved = await moveOrder(trx, order, "PLACED");
    // After a send by an earlier run, or an event since the read, the order may have a former address.
    const mayBeFormer = !prescriptionId || order.released_at?.getTime() !== read.released_at?.getTime();
    const followUps: FollowUp[] = [];
    if (moved) followUps.push({ step: "order.tell_crm", data: { order_id: order.id, fact: "order_placed" } });
    if (mayBeFormer) followUps.push(checkAddress(order));
    return followUps;
  };
}
