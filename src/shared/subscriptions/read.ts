import type { StepContext } from "../queue/step.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import { isOfUnknownId } from "../vendors/stripe/errors.ts";

/**
 * Every subscription the customer ever had, ended ones too, also as the Stripe customers they were before a merge.
 * Newest first for each.
 */
export async function subscriptionsEver(
  ctx: StepContext,
  customerId: number,
  stripeCustomerId: string,
): Promise<StripeSubscription[]> {
  const former = await ctx.deps.db
    .selectFrom("registry.former_keys")
    .select("key")
    .where("customer_id", "=", customerId)
    .where("system", "=", "stripe")
    .where("key", "<>", stripeCustomerId)
    .execute();
  const all = await subscriptionsOf(ctx, stripeCustomerId, true);
  for (const { key } of former) all.push(...await subscriptionsOf(ctx, key, true).catch(noneOfMissing));
  return all;
}

/** Every subscription of the Stripe customer, newest first; ended ones only with `ended`. */
export async function subscriptionsOf(
  ctx: StepContext,
  stripeCustomerId: string,
  ended = false,
): Promise<StripeSubscription[]> {
  const all: StripeSubscription[] = [];
  let cursor: string | null = null;
  do {
    const page = await ctx.vendors.stripe.listSubscriptions({ customerId: stripeCustomerId, ended, cursor });
    all.push(...page.entries);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}

/** Stripe may not know a deleted or merged customer any more. */
function noneOfMissing(error: unknown): StripeSubscription[] {
  if (isOfUnknownId(error)) return [];
  throw error;
}
