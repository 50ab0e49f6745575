import type { Trx } from "../../db/database.ts";
import { dayIn } from "../../day.ts";
import { type Customer, customerById, keyOf } from "../../registry/customers.ts";
import { priceToSell, productsByKey } from "../../registry/prices.ts";
import { addNow } from "../../queue/ask.ts";
import { Halt } from "../../queue/halt.ts";
import { Permanent, reason } from "../../queue/reasons.ts";
import { readPrescriptions } from "../../prescriptions/by-product.ts";
import { defineOwnStep, type Outcome, type StepContext } from "../../queue/step.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { judgeFirst } from "../../prescriptions/first.ts";
import { subscriptionsEver } from "../../subscriptions/read.ts";
import {
  askDespiteEarlier,
  CREATE_SUBSCRIPTION,
  recordFirst,
  startEffectOf,
  startKey,
  startsOf,
} from "../../subscriptions/starts.ts";
import { standingOf } from "../../subscriptions/standing.ts";
import { VendorError } from "../../vendors/contract.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";
import { isOfUnknownId } from "../../vendors/stripe/errors.ts";

/** In the metadata of a subscription that was started here: whose it is, and what for. Our own numbers, nothing else. */
export const STARTED_FOR_CUSTOMER = "clockwork_customer";
export const STARTED_FOR_PRODUCT = "clockwork_product";

/** Stripe's list shows its own writes at once; this is for a create that is still on its way when we look. */
const CREATE_SETTLE_SECONDS = 60;

type Start = DataOf<"subscription.start">;

/** What the last look before the send found out. */
interface Plan {
  priceId: string;
}

/**
 * A customer's first prescription of a product becomes a subscription at Stripe, once. All is read anew from its owner
 * at the moment of use. Whoever has or ever had one for the product gets none: what the customer paused or cancelled is
 * never revived.
 */
export const subscriptionStart = defineOwnStep("subscription.start", {
  queue: "stripe",
  async run(ctx, start) {
    const { customer_id: customerId, product_id: productId } = start;
    const customer = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    let plan: Plan | undefined;
    try {
      // One that may be at Stripe already is looked up there first: the checks would meet it and call it another's.
      if (!(await startEffectOf(ctx.deps.db, customerId, productId))) {
        plan = await makePlan(ctx, customer, start);
      }
      const stripeCustomerId = keyOf(customer, "stripe_customer_id");
      const key = startKey(customerId, productId);
      const subscriptionId = await ctx.once({
        vendor: "stripe",
        operation: CREATE_SUBSCRIPTION,
        key,
        settleSeconds: CREATE_SETTLE_SECONDS,
        find: async () =>
          (await subscriptionsEver(ctx, customerId, stripeCustomerId))
            .findLast((one) => isStartedHere(one, start))?.id ?? null,
        guard: async () => void (plan = await makePlan(ctx, customer, start)),
        send: async (refusals) => {
          if (!plan) throw new Error("a subscription is never started without its plan");
          const made = await ctx.vendors.stripe.createSubscription({
            customerId: stripeCustomerId,
            priceId: plan.priceId,
            metadata: {
              [STARTED_FOR_CUSTOMER]: String(customerId),
              [STARTED_FOR_PRODUCT]: String(productId),
            },
            // The same until Stripe says no: it would repeat that for a day, also to a card that works by then.
            idempotencyKey: `${key}:${stripeCustomerId}:${refusals}`,
          });
          return made.id;
        },
      });
      if (subscriptionId === null) throw new Error("the subscription has no id");
      return await started(ctx, start, subscriptionId);
    } catch (error) {
      if (error instanceof Halt) return error.outcome;
      throw await explain(ctx, error, start, customer.stripe_customer_id);
    }
  },
});

/** The price to start at, or why not: everything is asked anew, the subscriptions and the prescriptions last. */
async function makePlan(ctx: StepContext, customer: Customer, start: Start): Promise<Plan> {
  const { customer_id: customerId, product_id: productId } = start;
  await refuseMerged(ctx, customerId);
  const price = await priceToSell(ctx.deps.db, customerId, productId);
  if (!price) throw settled(start, "NO_PRICE");
  if (!price.isSold) throw new Permanent("PRODUCT_NOT_SOLD", { customer: customerId, product: productId });
  const stripeCustomerId = keyOf(customer, "stripe_customer_id");
  await refuseSubscribed(ctx, start, stripeCustomerId);
  await refuseUnprescribed(ctx, start, keyOf(customer, "health_patient_id"));
  if (!(await ctx.vendors.stripe.hasPaymentMethod(stripeCustomerId))) {
    throw new Permanent("NO_PAYMENT_METHOD", { customer: customerId, product: productId });
  }
  return { priceId: price.priceId };
}

/** Whoever has the keys now is looked at by themselves. */
async function refuseMerged(ctx: StepContext, customerId: number): Promise<void> {
  const { merged_into } = await ctx.deps.db.selectFrom("registry.customers").select("merged_into")
    .where("id", "=", customerId).executeTakeFirstOrThrow();
  if (merged_into !== null) throw new Halt({ kind: "done" });
}

/** Any subscription ever, in whatever state: paused, cancelled, incomplete, under way by Checkout, with other products. */
async function refuseSubscribed(ctx: StepContext, start: Start, stripeCustomerId: string): Promise<void> {
  const ever = await subscriptionsEver(ctx, start.customer_id, stripeCustomerId);
  const prices = ever.flatMap(({ items }) => items.map(({ priceId }) => priceId));
  const products = await productsByKey(ctx.deps.db, "stripe_price", prices);
  const [found] = ever.filter((one) =>
    isStartedHere(one, start) ||
    one.items.some(({ priceId }) => products.get(priceId) === start.product_id)
  ).toSorted((a, b) => Number(hasEnded(a)) - Number(hasEnded(b)));
  if (found) throw settled(start, "SUBSCRIBED", found.id);
  // A price that is in no product could be one of this product: nobody can tell.
  const unknown = prices.find((priceId) => !products.has(priceId));
  if (unknown !== undefined) throw new Permanent("UNKNOWN_PRODUCT", { system: "stripe_price", key: unknown });
}

function hasEnded(subscription: StripeSubscription): boolean {
  return standingOf(subscription).state === "ENDED";
}

async function refuseUnprescribed(ctx: StepContext, start: Start, patientId: string): Promise<void> {
  const { customer_id: customerId, product_id: productId } = start;
  const { byProduct, timeZone } = await readPrescriptions(ctx, patientId);
  const verdict = judgeFirst(byProduct.get(productId) ?? [], ctx.now(), timeZone, ctx.task.createdAt);
  switch (verdict.kind) {
    case "none":
      throw settled(start, "ENDED");
    case "unclear":
      throw new Permanent("PRESCRIPTION_UNCLEAR", { what: verdict.what });
    case "later": {
      const { prescriptionId: prescription, from } = verdict;
      const day = dayIn(from, timeZone);
      throw new Halt({
        kind: "wait",
        until: from,
        reason: reason("PRESCRIPTION_NOT_VALID_YET", { prescription, day }),
      });
    }
    case "valid": {
      if (start.despite_earlier === true) return;
      const why = verdict.notFirst ?? await whyDroppedBefore(ctx, start);
      if (why === null) return;
      const { prescriptionId } = verdict;
      throw new Halt({
        kind: "done",
        commit: async (trx) => {
          const question = { customerId, productId, prescriptionId, why };
          await addNow(trx, ctx, await askDespiteEarlier(trx, question));
        },
      });
    }
  }
}

/** Who dropped a start for an earlier prescription may not want the next one either. */
async function whyDroppedBefore(ctx: StepContext, start: Start): Promise<string | null> {
  const starts = await startsOf(ctx.deps.db, start.customer_id, start.product_id);
  const dropped = starts.find(({ id, status }) => status === "CANCELLED" && id !== ctx.task.id);
  return dropped ? `task ${dropped.id}, which would have started one, was dropped by a person` : null;
}

function isStartedHere({ metadata }: StripeSubscription, start: Start): boolean {
  return metadata[STARTED_FOR_CUSTOMER] === String(start.customer_id) &&
    metadata[STARTED_FOR_PRODUCT] === String(start.product_id);
}

/** Nothing is to be started, and nobody is asked: it is written down. */
function settled(start: Start, finding: "NO_PRICE" | "SUBSCRIBED" | "ENDED", subscriptionId?: string): Halt {
  return new Halt({
    kind: "done",
    commit: (trx) =>
      recordFirst(trx, {
        customerId: start.customer_id,
        productId: start.product_id,
        prescriptionId: start.prescription_id,
        finding,
        ...(subscriptionId === undefined ? {} : { subscriptionId }),
      }),
  });
}

/** It is there, and stays the only one. A first charge that is not paid is for a person. */
async function started(ctx: StepContext, start: Start, subscriptionId: string): Promise<Outcome> {
  const subscription = await ctx.vendors.stripe.getSubscription(subscriptionId);
  const commit = async (trx: Trx) => {
    await recordFirst(trx, {
      customerId: start.customer_id,
      productId: start.product_id,
      prescriptionId: start.prescription_id,
      finding: "STARTED",
      subscriptionId,
    });
  };
  if (standingOf(subscription).state !== "INCOMPLETE") return { kind: "done", commit };
  const { status } = subscription;
  const details = { subscription: subscriptionId, customer: start.customer_id, status };
  return { kind: "stopped", reason: reason("FIRST_CHARGE_OPEN", details), commit };
}

/** What a person can do about a refused create. Nothing was made and nothing charged. */
async function explain(
  ctx: StepContext,
  error: unknown,
  { customer_id: customer, product_id: product }: Start,
  stripeCustomerId: string | null,
): Promise<unknown> {
  if (!(error instanceof VendorError) || error.operation !== CREATE_SUBSCRIPTION) return error;
  if (error.failure !== "refused") return error;
  const { status, code } = error.details;
  if (status === 402) return new Permanent("CARD_DECLINED", { customer, product, code: code ?? "-" });
  const hasLostCard = isOfUnknownId(error) && stripeCustomerId !== null &&
    !(await ctx.vendors.stripe.hasPaymentMethod(stripeCustomerId));
  return hasLostCard ? new Permanent("NO_PAYMENT_METHOD", { customer, product }) : error;
}
