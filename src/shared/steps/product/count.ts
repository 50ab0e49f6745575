import { countedPage } from "../../products/count-page.ts";
import { countPrices, countTreatments } from "../../products/counts.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** Counts the subscriptions of each Stripe price: a page of the subscriptions a task. Only numbers are kept. */
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

/** Counts the prescriptions of each treatment at the pharmacy: a page of its prescriptions a task. */
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
