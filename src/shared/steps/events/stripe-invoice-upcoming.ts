import { defineStep } from "../../queue/step.ts";
import { stripeHint } from "../../ingest/hints.ts";

/**
 * Stripe will charge in a few days: a refill that will have no valid prescription then opens its renewal at once. Such an
 * invoice does not exist yet, so it has no id.
 */
export const invoiceUpcoming = defineStep({
  handles: ["stripe.invoice.upcoming"],
  queue: "internal",
  data: stripeHint.partial({ object_id: true }),
  run: (_ctx, { subscription_id: subscription }) =>
    Promise.resolve({
      kind: "done",
      commit: () =>
        Promise.resolve(
          subscription
            ? [{
              step: "renewal.check",
              data: { subscription_id: subscription, before_next_charge: true, ask_pharmacy: true },
            }]
            : [],
        ),
    }),
});
