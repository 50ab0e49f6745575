import { stripeHint } from "../../vendors/hints.ts";
import { invoiceStateOf, readInvoice } from "../../orders/invoices.ts";
import { type FollowUp, reason } from "../../queue/reasons.ts";
import { defineStep } from "../../queue/step.ts";

/** A payment failed: the CRM's plan is set to Stripe's, and the CRM hears of this try. */
export const invoicePaymentFailed = defineStep({
  handles: ["stripe.invoice.payment_failed"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: invoiceId }) {
    ctx.about({ invoiceId });
    const invoice = await readInvoice(ctx.vendors.stripe, invoiceId);
    const { subscriptionId, attemptCount } = invoice;
    if (!subscriptionId) {
      const why = "it was not for a subscription";
      return { kind: "cancelled", reason: reason("PAYMENT_NOT_TOLD", { why }) };
    }
    const followUps: FollowUp[] = [
      { step: "owner.propagate_plan", data: { subscription_id: subscriptionId } },
    ];
    if (invoiceStateOf(invoice) === "OPEN") {
      const data = { invoice_id: invoiceId, attempt: attemptCount };
      followUps.push({ step: "owner.tell_payment_failed", data });
    }
    return { kind: "done", commit: () => followUps };
  },
});
