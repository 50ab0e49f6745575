import type { FollowUp } from "../../queue/reasons.ts";
import { defineStep } from "../../queue/step.ts";
import { HINTS } from "../../vendors/hints.ts";

/**
 * Stripe will charge in a few days: a refill without a valid prescription on that day opens its renewal at once. Such an
 * invoice does not exist yet, so it has no id.
 */
export const invoiceUpcoming = defineStep({
  handles: ["stripe.invoice.upcoming"],
  queue: "internal",
  data: HINTS.stripe,
  run(_ctx, { subscription_id }) {
    const followUps: FollowUp[] = subscription_id
      ? [{ step: "renewal.check", data: { subscription_id, before_next_charge: true, ask_pharmacy: true } }]
      : [];
    return { kind: "done", commit: () => followUps };
  },
});
