import { z } from "zod";
import { countedPage } from "../../products/count-page.ts";
import { countPrices, countTreatments } from "../../products/counts.ts";
import { defineStep } from "../../queue/step.ts";

const data = z.strictObject({
  /** The night it belongs to; absent on demand. */
  night: z.string().optional(),
  /** The run that its first page began (`tracker.check_runs`). */
  run_id: z.number().int().optional(),
  page: z.number().int().min(0).optional(),
  cursor: z.string().optional(),
});

/** How often each Stripe price is really in use: a page of the subscriptions a task. Numbers alone are kept. */
export const productCountStripe = defineStep({
  handles: ["product.count_stripe"],
  queue: "stripe",
  data,
  async run(ctx, task) {
    const { entries, next } = await ctx.vendors.stripe.listSubscriptions({ cursor: task.cursor ?? null });
    return countedPage(
      { step: "product.count_stripe", vendor: "stripe", system: "stripe_price" },
      ctx.task,
      task,
      { seen: entries.length, next, counts: countPrices(entries) },
    );
  },
});

/** How often each treatment is prescribed at the pharmacy: a page of its prescriptions a task. */
export const productCountPharmacy = defineStep({
  handles: ["product.count_pharmacy"],
  queue: "pharmacy",
  data,
  async run(ctx, task) {
    const { entries, next } = await ctx.vendors.pharmacy.listTreatments(task.cursor ?? null);
    return countedPage(
      { step: "product.count_pharmacy", vendor: "pharmacy", system: "pharmacy_treatment" },
      ctx.task,
      task,
      { seen: entries.length, next, counts: countTreatments(entries) },
    );
  },
});
