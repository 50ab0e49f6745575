import { referencesIn } from "../../registry/references.ts";
import { defineStep } from "../../queue/step.ts";
import { stripeHint } from "../../vendors/hints.ts";
import { linkOrAsk, waitForNamed } from "../../registry/link.ts";

/** A customer at Stripe: its metadata leads to a row. Without metadata and with nobody's email it is a new customer. */
export const stripeCustomerCreated = defineStep({
  handles: ["stripe.customer.created"],
  queue: "stripe",
  data: stripeHint,
  async run(ctx, { object_id: id }) {
    const customer = await ctx.vendors.stripe.getCustomer(id);
    // Deleted since; that has an event of its own.
    if (!customer) return { kind: "done" };
    const sighting = {
      system: "stripe" as const,
      key: customer.id,
      replaced: [],
      references: referencesIn(customer.metadata),
      emails: customer.email ? [customer.email] : [],
      mayBeNew: true,
    };
    await waitForNamed(ctx, sighting);
    return { kind: "done", commit: async (trx) => (await linkOrAsk(ctx, trx, sighting)).followUps };
  },
});
