import { releaseOrders } from "../orders/orders.ts";
import { defineStep } from "../queue/step.ts";
import { stripeHint } from "./hints.ts";

/** A subscription was resumed or changed: its orders that wait are checked now, against what Stripe says then. */
export const subscriptionChanged = defineStep({
  handles: ["stripe.customer.subscription.resumed", "stripe.customer.subscription.updated"],
  queue: "internal",
  data: stripeHint,
  run: (_ctx, { object_id }) =>
    Promise.resolve({ kind: "done", commit: (trx) => releaseOrders(trx, { subscription_id: object_id }) }),
});
