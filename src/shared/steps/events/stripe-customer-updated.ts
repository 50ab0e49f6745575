import { stripeHint } from "../../vendors/hints.ts";
import { propagateContact } from "../../owners/propagate.ts";
import { defineStep } from "../../queue/step.ts";
import { forCustomer } from "../../registry/customers.ts";

/** Somebody edited a customer at Stripe, or our own write echoes: its email and phone are set to the owner's values. */
export const stripeCustomerUpdated = defineStep({
  handles: ["stripe.customer.updated"],
  queue: "internal",
  data: stripeHint,
  run: (ctx, { object_id }) => forCustomer(ctx, "stripe_customer_id", object_id, propagateContact),
});
