import { z } from "zod";
import { planOf } from "../owners/plan.ts";
import { findCustomer } from "../registry/customers.ts";
import { subscriptionsOf } from "../renewals/look.ts";
import { Permanent, Retryable } from "../queue/reasons.ts";
import { defineStep, type StepContext } from "../queue/step.ts";

/**
 * Stripe owns what is refilled; the CRM mirrors it. Reads the owner, writes the mirror where it differs, and reads it
 * again until it shows: safe to repeat, so that active, paused, active always ends as active. What is equal already is
 * not written, so an echo of our own write starts nothing.
 */
export const ownerPropagatePlan = defineStep({
  handles: ["owner.propagate_plan"],
  queue: "crm",
  data: z.strictObject({ subscription_id: z.string() }),
  async run(ctx, { subscription_id: subscriptionId }) {
    const { stripe, crm } = ctx.vendors;
    const { customerId: stripeCustomerId } = await stripe.getSubscription(subscriptionId);
    const customer = await findCustomer(ctx.deps.db, "stripe_customer_id", stripeCustomerId);
    if (!customer) return { kind: "done" };
    ctx.about({ customerId: customer.id });
    const personId = customer.crm_person_id;
    if (!personId) return { kind: "done" };
    const { pharmacy_time_zone } = await ctx.deps.db.selectFrom("clockwork.settings")
      .select("pharmacy_time_zone").executeTakeFirstOrThrow();
    const readAt = ctx.now();
    const plan = planOf(await subscriptionsOf(ctx, stripeCustomerId), pharmacy_time_zone);
    const isShown = async () => {
      const profile = await readProfile(ctx, personId, customer.id);
      return profile.planState === plan.planState && profile.nextRefillOn === plan.nextRefillOn;
    };
    if (await isShown()) return { kind: "done" };
    await crm.updateProfile(personId, plan, readAt);
    await ctx.deps.faultPoint?.("mirror written");
    if (!(await isShown())) throw new Retryable("NOT_YET_VISIBLE", { vendor: "crm" });
    return { kind: "done" };
  },
});

async function readProfile(ctx: StepContext, personId: string, customerId: number) {
  const profile = (await ctx.vendors.crm.readProfiles([personId])).get(personId);
  if (!profile) throw new Permanent("CRM_PERSON_UNKNOWN", { person: personId, customer: customerId });
  return profile;
}
