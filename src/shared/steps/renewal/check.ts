import { customerById } from "../../registry/customers.ts";
import { type Look, lookAtRefills } from "../../renewals/look.ts";
import {
  askAboutRefills,
  endMissingItems,
  openQuestions,
  questionAbout,
  recordLooks,
} from "../../renewals/refills.ts";
import { openRenewals } from "../../renewals/renewals.ts";
import { resumeWhatIsCovered } from "../../renewals/pauses.ts";
import type { Reason } from "../../queue/reasons.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { subscriptionsOf } from "../../subscriptions/read.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/**
 * Looks at one subscription's refills, or at all of a customer's, as the finder does. An unclear refill stays as this task,
 * in front of a person, until it is clear.
 */
export const renewalCheck = defineOwnStep("renewal.check", {
  queue: "health",
  async run(ctx, data) {
    const subscriptions = await subscriptionsToCheck(ctx, data);
    const looks = await lookAtRefills(ctx, subscriptions, data.ask_pharmacy === true);
    const customer = looks.find((look) => look.customerId !== null)?.customerId ?? data.customer_id;
    if (customer !== undefined && customer !== null) ctx.about({ customerId: customer });
    const own = data.subscription_id === undefined
      ? null
      : await ownQuestion(ctx, data.subscription_id, looks);
    return {
      ...(own ? { kind: "stopped", reason: own } : { kind: "done" }),
      commit: async (trx) => {
        await recordLooks(trx, looks);
        await endMissingItems(trx, subscriptions.map(({ id }) => id), looks);
        const followUps = await openRenewals(trx, looks, ctx.task.step, ctx.now(), data.before_next_charge);
        followUps.push(...await resumeWhatIsCovered(trx, subscriptions, looks));
        if (!own) await askAboutRefills(trx, ctx, looks);
        return followUps;
      },
    };
  },
});

/** The question of this task; null when there is none, or another task about the subscription asks it. */
async function ownQuestion(
  { deps, task, now }: StepContext,
  subscriptionId: string,
  looks: readonly Look[],
): Promise<Reason | null> {
  const why = looks.map((look) => questionAbout(look, now())).find((one) => one !== null);
  if (!why) return null;
  const open = (await openQuestions(deps.db, [subscriptionId], task.id)).get(subscriptionId) ?? [];
  return open.some((one) => one.reasonCode === why.code) ? null : why;
}

async function subscriptionsToCheck(
  ctx: StepContext,
  { subscription_id, customer_id }: DataOf<"renewal.check">,
): Promise<StripeSubscription[]> {
  if (subscription_id !== undefined) return [await ctx.vendors.stripe.getSubscription(subscription_id)];
  if (customer_id === undefined) return [];
  const { stripe_customer_id } = await customerById(ctx.deps.db, customer_id);
  return stripe_customer_id ? await subscriptionsOf(ctx, stripe_customer_id) : [];
}
