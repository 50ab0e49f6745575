import { countedPage } from "../../products/count-page.ts";
import { countPrices, countTreatments } from "../../products/counts.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** How often each Stripe price is really in use: a page of the subscriptions a task. Numbers alone are kept. */
export const productCountStripe = defineOwnStep("product.count_stripe", {
  queue: "stripe",
  async run(ctx, task) {
    const { entries, next } = await ctx.vendors.stripe.listSubscriptions({ cursor: task.cursor ?? null });
    return countedPage(
      { step: "product.count_stripe", vendor: "stripe", system: "stripe_price" },
      ctx,
      task,
      { seen: entries.length, next, counts: countPrices(entries) },
    );
  },
});

/** How often each treatment is prescribed at the pharmacy: a page of its prescriptions a task. */
export const productCountPharmacy = defineOwnStep("product.count_pharmacy", {
  queue: "pharmacy",
  async run(ctx, task) {
    const { entries, next } = await ctx.vendors.pharmacy.listTreatments(task.cursor ?? null);
    return countedPage(
      { step: "product.count_pharmacy", vendor: "pharmacy", system: "pharmacy_treatment" },
      ctx,
      task,
      { seen: entries.length, next, counts: countTreatments(entries) },
    );
  },
});
