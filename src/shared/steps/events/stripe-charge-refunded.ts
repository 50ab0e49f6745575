import type { Trx } from "../../db/database.ts";
import { cancelAll, cancelOf, ordersToCancel } from "../../orders/money-back.ts";
import { hasShipped } from "../../orders/orders.ts";
import { creditedLines, isDisputed, readInvoice } from "../../orders/payment.ts";
import { ask } from "../../queue/ask.ts";
import { type FollowUp, Permanent, reason } from "../../queue/reasons.ts";
import { defineStep, type Outcome, type StepContext } from "../../queue/step.ts";
import type { StripeCharge } from "../../vendors/stripe/client.ts";
import { isOfUnknownId } from "../../vendors/stripe/errors.ts";
import { stripeHint } from "../../vendors/hints.ts";

/**
 * Money went back, or may: an order that has not shipped is cancelled, one that has goes to a person. A refund that
 * overtakes its charge finds no order yet; the charge, when it comes, finds the refund.
 */
export const chargeRefundedOrDisputed = defineStep({
  handles: ["stripe.charge.refunded", "stripe.charge.dispute.created"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, data) {
    const charge = await readCharge(ctx, await chargeIdOf(ctx, data));
    const { invoiceId } = charge;
    if (!invoiceId) return { kind: "done" };
    ctx.about({ invoiceId });
    const cause = isDisputed(charge) ? "disputed" : charge.refunded ? "refunded" : undefined;
    if (cause) return { kind: "done", commit: (trx) => cancelAll(trx, invoiceId, cause) };
    if (charge.amountRefunded === 0) return { kind: "done" };
    return await cancelPart(ctx, invoiceId, charge.amountRefunded);
  },
});

/** An event about a dispute has the dispute's id; the charge is an attribute of it, or Stripe is asked. */
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
    if (isOfUnknownId(error)) {
      throw new Permanent("CHARGE_NOT_FOUND", { charge: chargeId });
    }
    throw error;
  }
}

/** Cancels the orders of credited lines. A refund beyond the credit notes goes to a person, order by order. */
async function cancelPart(ctx: StepContext, invoiceId: string, amountRefunded: number): Promise<Outcome> {
  const { stripe } = ctx.vendors;
  const invoice = await readInvoice(stripe, invoiceId);
  const credited = await creditedLines(stripe, invoice);
  const explained = invoice.lines.filter(({ id }) => credited.has(id))
    .reduce((sum, { amount }) => sum + amount, 0);
  const commit = async (trx: Trx) => {
    const followUps: FollowUp[] = [];
    for (const order of await ordersToCancel(trx, invoiceId)) {
      if (credited.has(order.invoice_line_id)) followUps.push(cancelOf(order, "refunded"));
      else if (amountRefunded > explained && !hasShipped(order) && !order.cancel_requested_at) {
        const question = { ...cancelOf(order, "person"), person: reason("PARTIAL_REFUND") };
        await ask(trx, ctx, question, { about: { order_id: order.id }, evenIfCancelled: true });
      }
    }
    return followUps;
  };
  return { kind: "done", commit };
}
