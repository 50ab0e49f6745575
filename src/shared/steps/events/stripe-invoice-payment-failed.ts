import { stripeHint } from "../../vendors/hints.ts";
import { invoiceStateOf, readInvoice } from "../../orders/payment.ts";
import { type FollowUp, reason } from "../../queue/reasons.ts";
import { defineStep } from "../../queue/step.ts";

/** A payment failed: the customer's plan is put right in the CRM, and the CRM hears of this try. */
export const invoicePaymentFailed = defineStep({
  handles: ["stripe.invoice.payment_failed"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: invoiceId }) {
    ctx.about({ invoiceId });
    const invoice = await readInvoice(ctx.vendors.stripe, invoiceId);
    const { subscriptionId, attemptCount } = invoice;
    if (!subscriptionId) {
      return {
        kind: "cancelled",
        reason: reason("PAYMENT_NOT_TOLD", { why: "it was not for a subscription" }),
      };
    }
    const followUps: FollowUp[] = [
      { step: "owner.propagate_plan", data: { subscription_id: subscriptionId } },
    ];
    if (invoiceStateOf(invoice) === "OPEN") {
      followUps.push({
        step: "owner.tell_payment_failed",
        data: { invoice_id: invoiceId, attempt: attemptCount },
      });
    }
    return { kind: "done", commit: () => Promise.resolve(followUps) };
  },
});
