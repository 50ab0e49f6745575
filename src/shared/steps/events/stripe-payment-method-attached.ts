import { stripeHint } from "../../vendors/hints.ts";
import { defineStep } from "../../queue/step.ts";
import { forCustomer } from "../../registry/customers.ts";
import { retryWithNewCard } from "../../subscriptions/starts.ts";

/** A customer has a new payment method: starts that stopped without one, or at a declined one, run again. */
export const paymentMethodAttached = defineStep({
  handles: ["stripe.payment_method.attached"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: id }) {
    const stripeCustomerId = await ctx.vendors.stripe.getPaymentMethodCustomer(id);
    return await forCustomer(ctx, "stripe_customer_id", stripeCustomerId, retryWithNewCard);
  },
});
