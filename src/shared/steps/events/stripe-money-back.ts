import type { Database } from "../../db/database.ts";
import { type CancelCause, hasShipped, type Order } from "../../orders/orders.ts";
import { creditedLines, invoiceStateOf, isDisputed, readInvoice } from "../../orders/payment.ts";
import { ask } from "../../queue/ask.ts";
import { type FollowUp, Permanent, reason } from "../../queue/reasons.ts";
import { defineStep, type Outcome, type StepContext } from "../../queue/step.ts";
import { VendorError } from "../../vendors/contract.ts";
import type { StripeCharge } from "../../vendors/stripe/client.ts";
import { stripeHint } from "../../ingest/hints.ts";

/**
 * Money went back, or may: what has not shipped is cancelled, what has goes to a person. A refund that overtakes its
 * charge finds no order yet; the charge, when it comes, finds the refund.
 */
export const chargeRefundedOrDisputed = defineStep({
  handles: ["stripe.charge.refunded", "stripe.charge.dispute.created"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, data) {
    const charge = await readCharge(ctx, await chargeIdOf(ctx, data));
    if (!charge.invoiceId) return { kind: "done" };
    ctx.about({ invoiceId: charge.invoiceId });
    if (isDisputed(charge)) return await cancelAll(ctx, charge.invoiceId, "disputed");
    if (charge.refunded) return await cancelAll(ctx, charge.invoiceId, "refunded");
    if (charge.amountRefunded === 0) return { kind: "done" };
    return await cancelPart(ctx, charge.invoiceId, charge.amountRefunded);
  },
});

/** An invoice that was voided or given up pays for nothing. */
export const invoiceVoided = defineStep({
  handles: ["stripe.invoice.voided", "stripe.invoice.marked_uncollectible"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: invoiceId }) {
    ctx.about({ invoiceId });
    const invoice = await readInvoice(ctx.vendors.stripe, invoiceId);
    if (invoiceStateOf(invoice) === "PAID") return { kind: "done" };
    return await cancelAll(ctx, invoiceId, "voided");
  },
});

/** An event about a dispute names the dispute; the charge is an attribute of it, or asked for. */
async function chargeIdOf(
  ctx: StepContext,
  data: { object_id: string; charge_id?: string | null | undefined },
): Promise<string> {
  if (data.object_id.startsWith("ch_") || data.object_id.startsWith("py_")) return data.object_id;
  return data.charge_id ?? (await ctx.vendors.stripe.getDisputedCharge(data.object_id));
}

async function readCharge(ctx: StepContext, chargeId: string): Promise<StripeCharge> {
  try {
    return await ctx.vendors.stripe.getCharge(chargeId);
  } catch (error) {
    if (error instanceof VendorError && error.details.status === 404) {
      throw new Permanent("CHARGE_NOT_FOUND", { charge: chargeId });
    }
    throw error;
  }
}

async function cancelAll(ctx: StepContext, invoiceId: string, cause: CancelCause): Promise<Outcome> {
  const orders = await ordersOf(ctx.deps.db, invoiceId);
  return emit(orders.map((order) => cancelOf(order, cause)));
}

/**
 * A refund that credit notes explain cancels their lines. What remains of it is for a person to judge, order by order.
 */
async function cancelPart(ctx: StepContext, invoiceId: string, amountRefunded: number): Promise<Outcome> {
  const { stripe } = ctx.vendors;
  const invoice = await readInvoice(stripe, invoiceId);
  const credited = await creditedLines(stripe, invoice);
  const explained = invoice.lines.filter(({ id }) => credited.has(id)).reduce(
    (sum, { amount }) => sum + amount,
    0,
  );
  const orders = await ordersOf(ctx.deps.db, invoiceId);
  const followUps = orders.filter((order) => credited.has(order.invoice_line_id)).map((order) =>
    cancelOf(order, "refunded")
  );
  if (amountRefunded <= explained) return emit(followUps);
  const unexplained = orders.filter((order) =>
    !credited.has(order.invoice_line_id) && !hasShipped(order) && !order.cancel_requested_at
  );
  return {
    kind: "done",
    commit: async (trx) => {
      for (const order of unexplained) {
        const question = { ...cancelOf(order, "person"), person: reason("PARTIAL_REFUND") };
        await ask(trx, ctx, question, { about: { order_id: order.id }, evenIfDropped: true });
      }
      return followUps;
    },
  };
}

/** Orders that may still ship, or have. A failed one may be mended at the pharmacy and ship. */
async function ordersOf(db: Database, invoiceId: string): Promise<Order[]> {
  return await db
    .selectFrom("tracker.orders")
    .selectAll()
    .where("invoice_id", "=", invoiceId)
    .where("state", "not in", ["CANCELLED", "RETURNED"])
    .orderBy("id")
    .execute();
}

function cancelOf(order: Order, cause: CancelCause): FollowUp {
  return { step: "order.cancel", data: { order_id: order.id, cause } };
}

function emit(followUps: FollowUp[]): Outcome {
  return { kind: "done", commit: () => Promise.resolve(followUps) };
}
