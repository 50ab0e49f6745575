import { Retryable } from "../queue/reasons.ts";
import { fillsAtPharmacyOf, ordersMovedSince, readContext, type RefillContext } from "./context.ts";
import { addDays, type Coverage, coverageOf } from "./coverage.ts";
import type { Demand } from "./demand.ts";
import type { StepContext } from "../queue/step.ts";
import type { StripeSubscription, StripeSubscriptionItem } from "../vendors/stripe/client.ts";

/** Set in a subscription's metadata while billing is paused by a renewal: its number. */
export const PAUSED_FOR_RENEWAL = "clockwork_paused_for_renewal";

/** The codes of `tracker.refill_findings`. A test compares the two. */
export const FINDINGS = [
  "COVERED",
  "EXPIRES",
  "RUNS_OUT",
  "NO_FILLS_LEFT",
  "EXPIRED",
  "NO_PRESCRIPTION",
  "WRONG_PRODUCT",
  "DATES_UNKNOWN",
  "PAUSED",
  "PAUSED_FOR_RENEWAL",
  "ENDING",
  "INACTIVE",
  "UNKNOWN_STATUS",
  "UNKNOWN_PRODUCT",
  "UNKNOWN_CUSTOMER",
] as const;
export type Finding = (typeof FINDINGS)[number];

/** One item of a subscription as its owners tell it now: Stripe what is wanted, the health record what covers it. */
export interface Look {
  subscriptionItemId: string;
  subscriptionId: string;
  subscriptionCreatedAt: Date;
  status: string;
  customerId: number | null;
  productId: number | null;
  finding: Finding;
  /** What is missing, where something is. */
  what: string | null;
  /** Null where it was not asked for (not active), or could not be told. */
  coverage: Coverage | null;
  prescriptionId: string | null;
  /** The first day without a fill. */
  dueOn: Date | null;
  /** When the customer is asked: `dueOn` less the product's lead time. */
  startOn: Date | null;
  leadDays: number;
  otherPrescriptions: number;
  /** False when the next charge will pay for a fill that no prescription covers. */
  coversNextCharge: boolean;
}

/** True while nobody is to be written to and nothing is asked: the customer's own pause, not ours. */
export function isPausedByCustomer(subscription: StripeSubscription): boolean {
  if (subscription.status === "paused") return true;
  return subscription.collectionPaused && !subscription.metadata[PAUSED_FOR_RENEWAL];
}

export function isPausedForRenewal(subscription: StripeSubscription): boolean {
  return subscription.collectionPaused && Boolean(subscription.metadata[PAUSED_FOR_RENEWAL]);
}

/** past_due: a charge failed and is tried again; the customer still refills. */
const WANTED = new Set(["active", "trialing", "past_due"]);
const NOT_WANTED = new Set(["canceled", "unpaid", "incomplete", "incomplete_expired"]);

/** What Stripe alone says, or undefined when the prescriptions decide. */
function findingOfSubscription(subscription: StripeSubscription): Finding | undefined {
  if (NOT_WANTED.has(subscription.status)) return "INACTIVE";
  if (isPausedByCustomer(subscription)) return "PAUSED";
  if (!WANTED.has(subscription.status)) return "UNKNOWN_STATUS";
  return subscription.cancelAtPeriodEnd ? "ENDING" : undefined;
}

/** An order that moves at this very moment is looked at again, so often at most. */
const LOOKS_AT_ONCE = 3;

/**
 * Looks at every item of these subscriptions that pays for fills. Two calls to the health record for up to 100
 * patients, none where no prescription decides; with `askPharmacy` one more per prescription in use.
 *
 * The pharmacy counts a fill before its order says here that it is placed. So with `askPharmacy`, where people are
 * written to and billing is paused by what is seen, the orders must be the same after the look as before it; else it
 * throws Retryable.
 */
export async function lookAtRefills(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  askPharmacy = false,
): Promise<Look[]> {
  for (let look = 1;; look++) {
    const { looks, context } = await lookOnce(ctx, subscriptions, askPharmacy);
    if (!askPharmacy || !(await ordersMovedSince(ctx, context))) return looks;
    if (look === LOOKS_AT_ONCE) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
  }
}

async function lookOnce(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  askPharmacy: boolean,
): Promise<{ looks: Look[]; context: RefillContext }> {
  const context = await readContext(ctx, subscriptions, (one) => findingOfSubscription(one) === undefined);
  const looks: Look[] = [];
  for (const subscription of subscriptions) {
    for (const item of subscription.items) {
      const product = context.products.get(item.priceId);
      if (product?.fillsPerCharge === 0) continue;
      const atPharmacy = askPharmacy
        ? await fillsAtPharmacyOf(ctx, context, subscription.customerId)
        : new Map<string, number>();
      looks.push(lookAtItem(subscription, item, context, ctx.now(), atPharmacy));
    }
  }
  return { looks, context };
}

function lookAtItem(
  subscription: StripeSubscription,
  item: StripeSubscriptionItem,
  context: RefillContext,
  now: Date,
  fillsAtPharmacy: ReadonlyMap<string, number>,
): Look {
  const customer = context.customers.get(subscription.customerId);
  const product = context.products.get(item.priceId);
  const leadDays = product?.leadDays ?? 30;
  const look = (finding: Finding, more: Partial<Look> = {}): Look => ({
    subscriptionItemId: item.id,
    subscriptionId: subscription.id,
    subscriptionCreatedAt: subscription.createdAt,
    status: subscription.status,
    customerId: customer?.id ?? null,
    productId: product?.productId ?? null,
    finding,
    what: null,
    coverage: null,
    prescriptionId: null,
    dueOn: null,
    startOn: null,
    leadDays,
    otherPrescriptions: 0,
    coversNextCharge: true,
    ...more,
  });
  const atStripe = findingOfSubscription(subscription);
  if (atStripe) return look(atStripe);
  if (!product) return look("UNKNOWN_PRODUCT", { what: `the product of price ${item.priceId}` });
  if (product.codes.size === 0) return look("UNKNOWN_PRODUCT", { what: "the product's rxnorm code" });
  if (!customer) return look("UNKNOWN_CUSTOMER", { what: `the row of ${subscription.customerId}` });
  if (!customer.health_patient_id) return look("UNKNOWN_CUSTOMER", { what: "health_patient_id" });
  const demand = demandOf(
    item,
    product.fillsPerCharge,
    context.waiting.get(customer.id)?.get(product.productId),
  );
  if (!demand) return look("UNKNOWN_PRODUCT", { what: "the price's interval" });
  const coverage = coverageOf(
    context.prescriptions.get(customer.health_patient_id) ?? [],
    product.codes,
    demand,
    context.inFlight.get(customer.id) ?? [],
    now,
    context.timeZone,
    fillsAtPharmacy,
  );
  const seen = (finding: Finding, more: Partial<Look>) =>
    look(isPausedForRenewal(subscription) && finding !== "COVERED" ? "PAUSED_FOR_RENEWAL" : finding, {
      coverage,
      ...more,
    });
  switch (coverage.kind) {
    case "none":
      return seen(coverage.why, { coversNextCharge: false });
    case "unclear":
      return seen("DATES_UNKNOWN", {
        what: coverage.what,
        prescriptionId: coverage.prescriptionId,
        coversNextCharge: false,
      });
    default: {
      const { dueOn, prescriptionId, cause } = coverage;
      const startOn = addDays(dueOn, -leadDays);
      const isSpent = coverage.kind === "spent";
      return seen(isSpent || startOn <= addDays(now, OPENS_DAYS_BEFORE_START) ? cause : "COVERED", {
        prescriptionId,
        dueOn,
        startOn,
        otherPrescriptions: isSpent ? 0 : coverage.others,
        coversNextCharge: !isSpent && (!coverage.firstUncovered || coverage.firstUncovered > item.periodEnd),
      });
    }
  }
}

/** A renewal is on the list this long before its campaign starts, so that people can see it come. */
export const OPENS_DAYS_BEFORE_START = 7;

function demandOf(
  item: StripeSubscriptionItem,
  fillsPerCharge: number,
  waiting: readonly Date[] = [],
): Demand | null {
  const { interval, intervalCount, periodEnd, quantity } = item;
  if (!isInterval(interval) || !intervalCount) return null;
  return {
    waiting,
    nextCharge: periodEnd,
    interval,
    intervalCount,
    fillsPerCharge: fillsPerCharge * (quantity ?? 1),
  };
}

function isInterval(interval: string | null): interval is Demand["interval"] {
  return interval === "day" || interval === "week" || interval === "month" || interval === "year";
}

/** Every subscription of the customer that has not ended. */
export async function subscriptionsOf(
  ctx: StepContext,
  stripeCustomerId: string,
): Promise<StripeSubscription[]> {
  const all: StripeSubscription[] = [];
  let cursor: string | null = null;
  do {
    const page = await ctx.vendors.stripe.listSubscriptions({ customerId: stripeCustomerId, cursor });
    all.push(...page.entries);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}

/** True when this look means that the prescription must be renewed. */
export function needsRenewal(look: Look): boolean {
  return look.prescriptionId !== null && look.dueOn !== null &&
    (look.coverage?.kind === "spent" || look.finding === "EXPIRES" || look.finding === "RUNS_OUT");
}
