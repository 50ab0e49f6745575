import { dayIn } from "../../day.ts";
import { invoiceStateOf, readInvoice } from "../../orders/invoices.ts";
import { Permanent, reason } from "../../queue/reasons.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import { defineOwnStep, Halt, type StepContext } from "../../queue/step.ts";
import { tellOnce } from "../../queue/crm.ts";
import { customerBy, keyOf } from "../../registry/customers.ts";
import { isPaused, standingOf, type SubscriptionState } from "../../subscriptions/standing.ts";
import type { StripeInvoice } from "../../vendors/stripe/client.ts";

/**
 * Tells the CRM of one failed try to charge one invoice, once: the number of the try, and the day of the next one. Stripe
 * is asked again right before: a customer who paid, paused or cancelled meanwhile gets no mail.
 */
export const ownerTellPaymentFailed = defineOwnStep("owner.tell_payment_failed", {
  queue: "crm",
  async run(ctx, { invoice_id: invoiceId, attempt }) {
    ctx.about({ invoiceId });
    let invoice = await readOpen(ctx, invoiceId, attempt);
    if (!invoice.customerId) {
      throw new Permanent("UNKNOWN_CUSTOMER", { column: "stripe_customer_id", key: "(none)" });
    }
    const customer = await customerBy(ctx.deps.db, "stripe_customer_id", invoice.customerId);
    ctx.about({ customerId: customer.id });
    const personId = keyOf(customer, "crm_person_id");
    const timeZone = await pharmacyZone(ctx.deps.db);
    const event = () => {
      const { createdAt, nextPaymentAttempt: next } = invoice;
      const data = { attempt, next_attempt_on: next && dayIn(next, timeZone) };
      // `at` is part of the event's id, so it never changes.
      return { personId, name: "payment_failed", at: createdAt, tellAt: ctx.now(), data };
    };
    await tellOnce(ctx, `payment_failed:${invoiceId}:${attempt}`, event, async () => {
      invoice = await readOpen(ctx, invoiceId, attempt);
    });
    return { kind: "done" };
  },
});

/** True where the customer hears of a failed charge, unless billing is paused. */
const IS_TOLD: Record<SubscriptionState, boolean> = {
  WANTED: true,
  PAST_DUE: true,
  UNPAID: true,
  PAUSED: false,
  PAUSED_UNPAID: false,
  // The very first charge, at the checkout.
  INCOMPLETE: false,
  ENDED: false,
  UNKNOWN: false,
};

/** Reads the invoice. Ends the task where the customer need not hear of this try. */
async function readOpen(ctx: StepContext, invoiceId: string, attempt: number): Promise<StripeInvoice> {
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

function notTold(why: string): Halt {
  return new Halt({ kind: "cancelled", reason: reason("PAYMENT_NOT_TOLD", { why }) });
}
