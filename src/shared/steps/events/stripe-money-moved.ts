import { reviewOf } from "../../orders/reviews.ts";
import { defineStep } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";

/**
 * Money of an invoice went back, may go back, or came again: its fills are judged anew. News that overtakes its charge finds
 * no order yet; the charge, when it comes, finds the money as it is.
 */
export const moneyMoved = defineStep({
  handles: [
    "stripe.charge.refunded",
    "stripe.refund.created",
    "stripe.refund.updated",
    "stripe.refund.failed",
    "stripe.charge.dispute.created",
    "stripe.charge.dispute.updated",
    "stripe.charge.dispute.closed",
    "stripe.credit_note.created",
    "stripe.credit_note.voided",
    "stripe.invoice.voided",
    "stripe.invoice.marked_uncollectible",
  ],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: objectId, invoice_id }) {
    const invoiceId = invoice_id ?? (await ctx.vendors.stripe.findInvoice(objectId));
    if (!invoiceId) return { kind: "done" };
    ctx.about({ invoiceId });
    // One refund is two events: they ask for one review.
    return { kind: "done", commit: (trx) => reviewOf(trx, invoiceId) };
  },
});
