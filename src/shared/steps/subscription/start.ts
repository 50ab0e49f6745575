import { dayIn } from "../../day.ts";
import type { TrackerFirstPrescriptionsFinding } from "../../db/types.ts";
import { type Customer, customerById, keyOf } from "../../registry/customers.ts";
import { priceToSell, productsByKey } from "../../registry/prices.ts";
import { addNow } from "../../queue/ask.ts";
import { Permanent, reason, Wait } from "../../queue/reasons.ts";
import { readPrescriptions } from "../../prescriptions/by-product.ts";
import { defineOwnStep, Halt, type Outcome, type StepContext } from "../../queue/step.ts";
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

/** In the metadata of a subscription that was started here: our numbers of its customer and its product. */
const STARTED_FOR_CUSTOMER = "clockwork_customer";
const STARTED_FOR_PRODUCT = "clockwork_product";

/** Stripe's list shows its own writes at once. A create without a reply may be carried out until then. */
const CREATE_VISIBLE_AFTER_SECONDS = 60;

type Start = DataOf<"subscription.start">;

/**
 * A customer's first prescription of a product becomes a subscription at Stripe, once. All is read anew from its owner
 * at the moment of use. A customer who ever had one for the product gets none: a pause or a cancellation is never revived.
 */
export const subscriptionStart = defineOwnStep("subscription.start", {
  queue: "stripe",
  async run(ctx, start) {
    const { customer_id: customerId, product_id: productId } = start;
    const customer = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    let priceId: string | undefined;
    try {
      // One that may be at Stripe already is looked up there first: the checks would take it for another one.
      if (!(await startEffectOf(ctx.deps.db, customerId, productId))) {
        priceId = await priceToStart(ctx, customer, start);
      }
      const stripeCustomerId = keyOf(customer, "stripe_customer_id");
      const key = startKey(customerId, productId);
      const subscriptionId = await ctx.once({
        vendor: "stripe",
        operation: CREATE_SUBSCRIPTION,
        key,
        visibleAfterSeconds: CREATE_VISIBLE_AFTER_SECONDS,
        find: async () =>
          (await subscriptionsEver(ctx, customerId, stripeCustomerId))
            .findLast((one) => isStartedHere(one, start))?.id ?? null,
        guard: async () => void (priceId = await priceToStart(ctx, customer, start)),
        send: async (refusals) => {
          if (priceId === undefined) throw new Error("a subscription is never started without its price");
          const made = await ctx.vendors.stripe.createSubscription({
            customerId: stripeCustomerId,
            priceId,
            metadata: {
              [STARTED_FOR_CUSTOMER]: String(customerId),
              [STARTED_FOR_PRODUCT]: String(productId),
            },
            // Another key after a refusal: Stripe repeats a refusal for a day, also to a card that works by then.
            idempotencyKey: `${key}:${stripeCustomerId}:${refusals}`,
          });
          return made.id;
        },
      });
      if (subscriptionId === null) throw new Error("the subscription has no id");
      return await started(ctx, start, subscriptionId);
    } catch (error) {
      throw await explain(ctx, error, start, customer.stripe_customer_id);
    }
  },
});

/** The price to start at. Everything is asked anew, the subscriptions and the prescriptions last. */
async function priceToStart(ctx: StepContext, customer: Customer, start: Start): Promise<string> {
  const { customer_id: customerId, product_id: productId } = start;
  await endIfMerged(ctx, customerId);
  const price = await priceToSell(ctx.deps.db, customerId, productId);
  if (!price) throw new Halt(recorded(start, "NO_PRICE"));
  if (!price.isSold) throw new Permanent("PRODUCT_NOT_SOLD", { customer: customerId, product: productId });
  const stripeCustomerId = keyOf(customer, "stripe_customer_id");
  await endIfSubscribed(ctx, start, stripeCustomerId);
  await refuseUnprescribed(ctx, start, keyOf(customer, "health_patient_id"));
  if (!(await ctx.vendors.stripe.hasPaymentMethod(stripeCustomerId))) {
    throw new Permanent("NO_PAYMENT_METHOD", { customer: customerId, product: productId });
  }
  return price.priceId;
}

/** The customer who stayed after a merge has tasks of their own. */
async function endIfMerged(ctx: StepContext, customerId: number): Promise<void> {
  const { merged_into } = await ctx.deps.db.selectFrom("registry.customers").select("merged_into")
    .where("id", "=", customerId).executeTakeFirstOrThrow();
  if (merged_into !== null) throw new Halt({ kind: "done" });
}

/** Any subscription ever, of any state: paused, cancelled, incomplete, under way by Checkout, with other products. */
async function endIfSubscribed(ctx: StepContext, start: Start, stripeCustomerId: string): Promise<void> {
  const ever = await subscriptionsEver(ctx, start.customer_id, stripeCustomerId);
  const prices = ever.flatMap(({ items }) => items.map(({ priceId }) => priceId));
  const products = await productsByKey(ctx.deps.db, "stripe_price", prices);
  const same = ever.filter((one) =>
    isStartedHere(one, start) || one.items.some(({ priceId }) => products.get(priceId) === start.product_id)
  );
  const found = same.find((one) => standingOf(one).state !== "ENDED") ?? same[0];
  if (found) throw new Halt(recorded(start, "SUBSCRIBED", found.id));
  // A price that is in no product could be one of this product.
  const unknown = prices.find((priceId) => !products.has(priceId));
  if (unknown !== undefined) throw new Permanent("UNKNOWN_PRODUCT", { system: "stripe_price", key: unknown });
}

async function refuseUnprescribed(ctx: StepContext, start: Start, patientId: string): Promise<void> {
  const { customer_id: customerId, product_id: productId } = start;
  const { byProduct, timeZone } = await readPrescriptions(ctx, patientId);
  const verdict = judgeFirst(byProduct.get(productId) ?? [], ctx.now(), timeZone, ctx.task.createdAt);
  switch (verdict.kind) {
    case "none":
      throw new Halt(recorded(start, "ENDED"));
    case "unclear":
      throw new Permanent("PRESCRIPTION_UNCLEAR", { what: verdict.what });
    case "later": {
      const { prescriptionId: prescription, from } = verdict;
      throw new Wait(from, "PRESCRIPTION_NOT_VALID_YET", { prescription, day: dayIn(from, timeZone) });
    }
    case "valid": {
      if (start.despite_earlier === true) return;
      const why = verdict.notFirst ?? await whyCancelledBefore(ctx, start);
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

/** A person who cancelled a start for an earlier prescription may not want the next one either. */
async function whyCancelledBefore(ctx: StepContext, start: Start): Promise<string | null> {
  const starts = await startsOf(ctx.deps.db, start.customer_id, start.product_id);
  const cancelled = starts.find(({ id, status }) => status === "CANCELLED" && id !== ctx.task.id);
  return cancelled ? `a person cancelled task ${cancelled.id}, which would have started one` : null;
}

function isStartedHere({ metadata }: StripeSubscription, start: Start): boolean {
  return metadata[STARTED_FOR_CUSTOMER] === String(start.customer_id) &&
    metadata[STARTED_FOR_PRODUCT] === String(start.product_id);
}

/** Ends the task with a finding in `tracker.first_prescriptions`; nobody is asked. */
function recorded(
  start: Start,
  finding: TrackerFirstPrescriptionsFinding,
  subscriptionId?: string,
): Outcome & { kind: "done" } {
  const { customer_id: customerId, product_id: productId, prescription_id: prescriptionId } = start;
  const first = {
    customerId,
    productId,
    prescriptionId,
    finding,
    ...(subscriptionId ? { subscriptionId } : {}),
  };
  return { kind: "done", commit: (trx) => recordFirst(trx, first) };
}

/** The subscription is there, and stays the only one. A first charge that is not paid is for a person. */
async function started(ctx: StepContext, start: Start, subscriptionId: string): Promise<Outcome> {
  const outcome = recorded(start, "STARTED", subscriptionId);
  const subscription = await ctx.vendors.stripe.getSubscription(subscriptionId);
  if (standingOf(subscription).state !== "INCOMPLETE") return outcome;
  const { status } = subscription;
  const details = { subscription: subscriptionId, customer: start.customer_id, status };
  return { ...outcome, kind: "stopped", reason: reason("FIRST_CHARGE_OPEN", details) };
}

/** The error for a person after a refused create. Nothing was made and nothing charged. */
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
