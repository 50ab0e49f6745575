import { dayIn } from "../../day.ts";
import { invoiceStateOf, readInvoice } from "../../orders/payment.ts";
import { Withheld } from "../../queue/halt.ts";
import { Permanent, reason } from "../../queue/reasons.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { customerBy, keyOf } from "../../registry/customers.ts";
import { isPaused, standingOf, type SubscriptionState } from "../../subscriptions/standing.ts";
import type { StripeInvoice } from "../../vendors/stripe/client.ts";

/** The CRM ignores a repeat of an event's id for at least this long. */
const REPEAT_IGNORED_HOURS = 72;

/**
 * Tells the CRM of one failed try to charge one invoice, once: which try it was, and the day of the next one. Stripe is
 * asked again right before: nobody who paid, paused or cancelled meanwhile gets mail.
 */
export const ownerTellPaymentFailed = defineOwnStep("owner.tell_payment_failed", {
  queue: "crm",
  async run(ctx, { invoice_id: invoiceId, attempt }) {
    ctx.about({ invoiceId });
    const key = `payment_failed:${invoiceId}:${attempt}`;
    try {
      const invoice = await readUnsettled(ctx, invoiceId, attempt);
      if (!invoice.customerId) {
        throw new Permanent("UNKNOWN_CUSTOMER", { column: "stripe_customer_id", key: "(none)" });
      }
      const customer = await customerBy(ctx.deps.db, "stripe_customer_id", invoice.customerId);
      ctx.about({ customerId: customer.id });
      const personId = keyOf(customer, "crm_person_id");
      const timeZone = await pharmacyZone(ctx.deps.db);
      let { nextPaymentAttempt } = invoice;
      await ctx.once({
        vendor: "crm",
        operation: "send event",
        key,
        settleSeconds: 0,
        idempotentForSeconds: REPEAT_IGNORED_HOURS * 3600,
        guard: async () => {
          ({ nextPaymentAttempt } = await readUnsettled(ctx, invoiceId, attempt));
        },
        send: async () => {
          await ctx.vendors.crm.sendEvent({
            personId,
            id: key,
            // Part of the id, so it stays the same however late this is sent.
            at: invoice.createdAt,
            tellAt: ctx.now(),
            name: "payment_failed",
            data: {
              attempt,
              next_attempt_on: nextPaymentAttempt && dayIn(nextPaymentAttempt, timeZone),
            },
          });
          return null;
        },
      });
    } catch (error) {
      if (error instanceof Withheld) return { kind: "cancelled", reason: error.why };
      throw error;
    }
    return { kind: "done" };
  },
});

/** Whether a customer hears of a failed charge, when nothing is paused. */
const IS_TOLD: Record<SubscriptionState, boolean> = {
  WANTED: true,
  PAST_DUE: true,
  UNPAID: true,
  PAUSED: false,
  // The first charge of all, and the customer is at the checkout.
  INCOMPLETE: false,
  ENDED: false,
  UNKNOWN: false,
};

/** The invoice, when this try of it is still the customer's business. */
async function readUnsettled(ctx: StepContext, invoiceId: string, attempt: number): Promise<StripeInvoice> {
  const { stripe } = ctx.vendors;
  const invoice = await readInvoice(stripe, invoiceId);
  if (invoiceStateOf(invoice) !== "OPEN") {
    throw notTold(`the invoice is ${invoice.status ?? "settled"} by now`);
  }
  if (invoice.attemptCount !== attempt) throw notTold("it was tried again since");
  const subscription = await stripe.getSubscription(invoice.subscriptionId ?? "");
  const standing = standingOf(subscription);
  if (isPaused(standing)) throw notTold("the subscription is paused");
  if (!IS_TOLD[standing.state]) throw notTold(`the subscription is ${subscription.status}`);
  return invoice;
}

function notTold(why: string): Withheld {
  return new Withheld(reason("PAYMENT_NOT_TOLD", { why }));
}
