import { closeDrift } from "../../owners/drift.ts";
import { planOf } from "../../owners/plan.ts";
import { type Customer, customerById, findCustomer } from "../../registry/customers.ts";
import { subscriptionsOf } from "../../subscriptions/read.ts";
import { readProfile } from "../../queue/crm.ts";
import { Retryable } from "../../queue/reasons.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";

/**
 * Stripe owns the plan; the CRM mirrors it. Reads the owner, writes the mirror where it differs, and reads it again until
 * it shows. It is safe to repeat: active, paused, active always ends as active. An equal mirror is not written, so an echo
 * of our own write starts nothing.
 */
export const ownerPropagatePlan = defineOwnStep("owner.propagate_plan", {
  queue: "crm",
  async run(ctx, data) {
    const customer = await customerOf(ctx, data);
    if (!customer) return { kind: "done" };
    ctx.about({ customerId: customer.id });
    const { crm_person_id: personId, stripe_customer_id: stripeCustomerId } = customer;
    if (!personId || !stripeCustomerId) return { kind: "done" };
    const timeZone = await pharmacyZone(ctx.deps.db);
    const readAt = ctx.now();
    const plan = planOf(await subscriptionsOf(ctx, stripeCustomerId), timeZone);
    const isShown = async () => {
      const profile = await readProfile(ctx, personId, customer.id);
      return profile.planState === plan.planState && profile.nextRefillOn === plan.nextRefillOn;
    };
    if (!(await isShown())) {
      await ctx.vendors.crm.updateProfile(personId, plan, readAt);
      await ctx.deps.faultPoint?.("mirror written");
      if (!(await isShown())) throw new Retryable("NOT_YET_VISIBLE", { vendor: "crm" });
    }
    return { kind: "done", commit: (trx) => closeDrift(trx, customer.id, "plan") };
  },
});

async function customerOf(
  ctx: StepContext,
  { subscription_id, customer_id }: DataOf<"owner.propagate_plan">,
): Promise<Customer | undefined> {
  if (customer_id !== undefined) return await customerById(ctx.deps.db, customer_id);
  if (subscription_id === undefined) return undefined;
  const { customerId } = await ctx.vendors.stripe.getSubscription(subscription_id);
  return await findCustomer(ctx.deps.db, "stripe_customer_id", customerId);
}
