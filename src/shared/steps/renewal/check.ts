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
import type { ReasonCode } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { subscriptionsOf } from "../../subscriptions/read.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/**
 * Looks at one subscription's refills, or at all of a customer's, as the finder does. What nobody can tell about stays
 * as this task, in front of a person, until it can be told.
 */
export const renewalCheck = defineOwnStep("renewal.check", {
  queue: "health",
  async run(ctx, data) {
    const subscriptions = await subscriptionsToCheck(ctx, data);
    const looks = await lookAtRefills(ctx, subscriptions, data.ask_pharmacy === true);
    const customer = looks.find((look) => look.customerId !== null)?.customerId ?? data.customer_id;
    if (customer !== undefined && customer !== null) ctx.about({ customerId: customer });
    const asks = data.subscription_id === undefined ? null : question(looks, ctx.now());
    // One row about a subscription is enough, however often it is looked at.
    const own = asks && !(await isAskedElsewhere(ctx, data.subscription_id ?? "", asks.code)) ? asks : null;
    return {
      ...(own ? { kind: "stopped", reason: own } : { kind: "done" }),
      commit: async (trx) => {
        await recordLooks(trx, looks);
        await endMissingItems(trx, subscriptions.map(({ id }) => id), looks);
        const followUps = await openRenewals(
          trx,
          looks,
          ctx.task.step,
          ctx.now(),
          data.before_next_charge === true,
        );
        followUps.push(...await resumeWhatIsCovered(trx, subscriptions, looks));
        if (!own) await askAboutRefills(trx, ctx, looks);
        return followUps;
      },
    };
  },
});

async function isAskedElsewhere(
  { deps, task }: StepContext,
  subscriptionId: string,
  code: ReasonCode,
): Promise<boolean> {
  const open = (await openQuestions(deps.db, [subscriptionId], task.id)).get(subscriptionId) ?? [];
  return open.some((one) => one.reasonCode === code);
}

async function subscriptionsToCheck(
  ctx: StepContext,
  { subscription_id, customer_id }: {
    subscription_id?: string | undefined;
    customer_id?: number | undefined;
  },
): Promise<StripeSubscription[]> {
  if (subscription_id !== undefined) return [await ctx.vendors.stripe.getSubscription(subscription_id)];
  if (customer_id === undefined) return [];
  const { stripe_customer_id } = await customerById(ctx.deps.db, customer_id);
  return stripe_customer_id ? await subscriptionsOf(ctx, stripe_customer_id) : [];
}

function question(looks: readonly Look[], now: Date) {
  return looks.map((look) => questionAbout(look, now)).find((one) => one !== null) ?? null;
}
