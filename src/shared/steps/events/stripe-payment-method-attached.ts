import { findCustomer } from "../../registry/customers.ts";
import { defineStep } from "../../queue/step.ts";
import { retryWithNewCard } from "../../subscriptions/starts.ts";
import { stripeHint } from "../../ingest/hints.ts";

/** A customer has another thing to be charged to: a subscription that waits for just that is started now. */
export const paymentMethodAttached = defineStep({
  handles: ["stripe.payment_method.attached"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: id }) {
    const stripeCustomerId = await ctx.vendors.stripe.getPaymentMethodCustomer(id);
    const customer = stripeCustomerId === null
      ? undefined
      : await findCustomer(ctx.deps.db, "stripe_customer_id", stripeCustomerId);
    if (!customer) return { kind: "done" };
    ctx.about({ customerId: customer.id });
    return { kind: "done", commit: (trx) => retryWithNewCard(trx, customer.id) };
  },
});
