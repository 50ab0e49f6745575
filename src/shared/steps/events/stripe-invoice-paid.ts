import type { FollowUp } from "../../queue/reasons.ts";
import { defineStep } from "../../queue/step.ts";
import { findCustomer } from "../../registry/customers.ts";
import { stripeHint } from "../../vendors/hints.ts";

/** An invoice was paid: one order per fill that its subscription lines pay for. */
export const invoicePaid = defineStep({
  handles: ["stripe.invoice.paid"],
  queue: "internal",
  data: stripeHint,
  async run(ctx, { object_id: invoiceId, customer_id: key }) {
    // For the customer's story. A thin event has no customer, and order.make asks about an unknown one.
    const customer = key ? await findCustomer(ctx.deps.db, "stripe_customer_id", key) : undefined;
    ctx.about({ invoiceId, ...(customer ? { customerId: customer.id } : {}) });
    const make: FollowUp = { step: "order.make", data: { invoice_id: invoiceId } };
    return { kind: "done", commit: () => [make] };
  },
});
