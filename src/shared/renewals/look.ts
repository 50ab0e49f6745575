import type { TrackerRefillFindingsFinding } from "../db/types.ts";
import { addDays } from "../day.ts";
import { Retryable } from "../queue/reasons.ts";
import { askPharmacyAbout, ordersMovedSince, readContext, type RefillContext } from "./context.ts";
import { type AtPharmacy, type Coverage, coverageOf } from "../prescriptions/coverage.ts";
import { type Demand, demandOf, endOfNextPeriod, withFillsOn } from "../prescriptions/demand.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { type Pause, standingOf, type SubscriptionState } from "../subscriptions/standing.ts";
import type { StripeSubscription, StripeSubscriptionItem } from "../vendors/stripe/client.ts";

export type Finding = TrackerRefillFindingsFinding;

/** One item of a subscription as its owners tell it now: Stripe what is wanted, the health record what covers it. */
export interface Look {
  /** The subscription's own id where it has no item at all. */
  subscriptionItemId: string;
  subscriptionId: string;
  subscriptionCreatedAt: Date;
  customerId: number | null;
  productId: number | null;
  finding: Finding;
  /** What is missing, where something is. */
  what: string | null;
  /** What only a person can set right. */
  asks: Reason | null;
  /** Null where it was not asked for (not active), or could not be told. */
  coverage: Coverage | null;
  prescriptionId: string | null;
  /** The first day without a fill. */
  dueOn: Date | null;
  /** When the customer is asked: `dueOn` less the product's lead time. */
  startOn: Date | null;
  leadDays: number;
  otherPrescriptions: number;
  /** Further active refills of the customer for the same product: they use the same fills. */
  otherRefills: number;
  /** False when the next charge will pay for a fill that no prescription covers. */
  coversNextCharge: boolean;
}

const FINDING_OF: Record<SubscriptionState, Finding | undefined> = {
  WANTED: undefined,
  PAST_DUE: undefined,
  UNPAID: "INACTIVE",
  PAUSED: "PAUSED",
  INCOMPLETE: "INACTIVE",
  ENDED: "INACTIVE",
  UNKNOWN: "UNKNOWN_STATUS",
};
/** Nobody is written to, and nothing asked, in a pause of the customer's own. */
const FINDING_IN_PAUSE: Record<Pause, Finding | undefined> = {
  NONE: undefined,
  FOR_RENEWAL: undefined,
  BY_CUSTOMER: "PAUSED",
};

/** What Stripe alone says, or undefined when the prescriptions decide. */
function findingOfSubscription(subscription: StripeSubscription): Finding | undefined {
  const { state, pause, isEnding } = standingOf(subscription);
  const finding = FINDING_OF[state];
  if (finding === "INACTIVE") return finding;
  return FINDING_IN_PAUSE[pause] ?? finding ?? (isEnding ? "ENDING" : undefined);
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
    const atPharmacy = askPharmacy
      ? await askPharmacyAbout(ctx, context, subscription.customerId)
      : new Map<string, AtPharmacy>();
    const items = subscription.items.filter((item) =>
      context.products.get(item.priceId)?.fillsPerCharge !== 0
    );
    for (const item of items) looks.push(lookAtItem(subscription, item, context, ctx.now(), atPharmacy));
    if (subscription.items.length === 0) {
      looks.push(lookAtItem(subscription, null, context, ctx.now(), atPharmacy));
    }
  }
  return { looks, context };
}

function lookAtItem(
  subscription: StripeSubscription,
  item: StripeSubscriptionItem | null,
  context: RefillContext,
  now: Date,
  atPharmacy: ReadonlyMap<string, AtPharmacy>,
): Look {
  const customer = context.customers.get(subscription.customerId);
  const product = item ? context.products.get(item.priceId) : undefined;
  const base = startOfLook(subscription, item, context);
  const look = (finding: Finding, more: Partial<Look> = {}): Look => ({ ...base, finding, ...more });
  const atStripe = findingOfSubscription(subscription);
  if (atStripe === "UNKNOWN_STATUS") {
    const { id, status } = subscription;
    return look(atStripe, { asks: reason("SUBSCRIPTION_STATUS_UNKNOWN", { subscription: id, status }) });
  }
  if (atStripe) return look(atStripe, { asks: null });
  const unclear = (what: string) =>
    look("UNCLEAR", { what, asks: reason("REFILL_UNCLEAR", { subscription: subscription.id, what }) });
  if (!item) return unclear("it has no product in it");
  if (!product) {
    const asks = reason("UNKNOWN_PRODUCT", { system: "stripe_price", key: item.priceId });
    return look("UNKNOWN_PRODUCT", { what: `the product of price ${item.priceId}`, asks });
  }
  if (product.codes.size === 0) {
    const asks = reason("PRODUCT_HAS_NO_CODE", { product: product.productId });
    return look("UNKNOWN_PRODUCT", { what: "the product's rxnorm code", asks });
  }
  if (!customer) {
    const asks = reason("UNKNOWN_CUSTOMER", { column: "stripe_customer_id", key: subscription.customerId });
    return look("UNKNOWN_CUSTOMER", { what: `the row of ${subscription.customerId}`, asks });
  }
  if (!customer.health_patient_id) {
    const asks = reason("MISSING_CUSTOMER_KEY", { customer: customer.id, column: "health_patient_id" });
    return look("UNKNOWN_CUSTOMER", { what: "health_patient_id", asks });
  }
  const waiting = context.waiting.get(customer.id)?.get(product.productId);
  const wanted = demandOf(item, product.fillsPerCharge, waiting);
  if ("unclear" in wanted) return unclear(wanted.unclear);
  // Its period has moved on, but the charge that failed is tried again, and pays for fills on the day it succeeds.
  const { state, pause } = standingOf(subscription);
  const demand = state === "PAST_DUE" ? withFillsOn(now, wanted) : wanted;
  const prescriptions = context.prescriptions.get(customer.health_patient_id);
  if (!prescriptions) return lookWithoutAnswer(look, customer.id, customer.health_patient_id, context);
  const coverage = coverageOf(
    prescriptions,
    product.codes,
    // Whoever pays twice uses the fills twice as fast.
    { ...demand, fillsPerCharge: demand.fillsPerCharge * (1 + base.otherRefills) },
    context.inFlight.get(customer.id) ?? [],
    now,
    context.timeZone,
    atPharmacy,
  );
  const seen = lookAtCoverage(coverage, demand, subscription.id, product.leadDays, now, context.timeZone);
  const isPaused = pause === "FOR_RENEWAL" && seen.finding !== "COVERED";
  return {
    ...base,
    ...seen,
    asks: seen.asks ?? base.asks,
    ...(isPaused ? { finding: "PAUSED_FOR_RENEWAL" } : {}),
  };
}

/** What can be said before anything is decided. */
function startOfLook(
  subscription: StripeSubscription,
  item: StripeSubscriptionItem | null,
  context: RefillContext,
): Look {
  const customer = context.customers.get(subscription.customerId);
  const product = item ? context.products.get(item.priceId) : undefined;
  const ownId = item?.id ?? subscription.id;
  const twins = customer && product ? context.refillsOf(customer.id, product.productId, ownId) : [];
  // One of the two asks, not both.
  const former = twins.find((twin) => twin.subscriptionItemId < ownId);
  return {
    subscriptionItemId: ownId,
    subscriptionId: subscription.id,
    subscriptionCreatedAt: subscription.createdAt,
    customerId: customer?.id ?? null,
    productId: product?.productId ?? null,
    finding: "UNCLEAR",
    what: null,
    asks: customer && former
      ? reason("REFILL_TWICE", {
        customer: customer.id,
        subscription: subscription.id,
        other: former.subscriptionId,
      })
      : null,
    coverage: null,
    prescriptionId: null,
    dueOn: null,
    startOn: null,
    leadDays: product?.leadDays ?? 30,
    otherPrescriptions: 0,
    otherRefills: twins.length,
    coversNextCharge: true,
  };
}

function lookWithoutAnswer(
  look: (finding: Finding, more: Partial<Look>) => Look,
  customer: number,
  patient: string,
  context: RefillContext,
): Look {
  return context.unanswered.has(patient)
    ? look("DATES_UNKNOWN", {
      what: "an answer of the health record about the patient",
      asks: reason("HEALTH_PATIENT_UNANSWERED", { customer, patient }),
    })
    : look("UNKNOWN_CUSTOMER", {
      what: "its patient in the health record",
      asks: reason("HEALTH_PATIENT_UNKNOWN", { customer, patient }),
    });
}

type Seen = Partial<Look> & Pick<Look, "finding" | "coverage">;

function lookAtCoverage(
  coverage: Coverage,
  demand: Demand,
  subscription: string,
  leadDays: number,
  now: Date,
  timeZone: string,
): Seen {
  switch (coverage.kind) {
    case "none":
      return {
        finding: coverage.why,
        coverage,
        coversNextCharge: false,
        asks: reason("REFILL_WITHOUT_PRESCRIPTION", { subscription, why: WHY_NONE[coverage.why] }),
      };
    case "unclear": {
      const { what, prescriptionId: prescription } = coverage;
      const asks = reason("REFILL_DATES_UNKNOWN", { subscription, what, prescription });
      const more = { what, prescriptionId: prescription, coversNextCharge: false, asks };
      return { finding: "DATES_UNKNOWN", coverage, ...more };
    }
    default: {
      const { dueOn, prescriptionId, cause } = coverage;
      const startOn = addDays(dueOn, -leadDays, timeZone);
      const isSpent = coverage.kind === "spent";
      return {
        finding: isSpent || startOn <= addDays(now, OPENS_DAYS_BEFORE_START, timeZone) ? cause : "COVERED",
        coverage,
        prescriptionId,
        dueOn,
        startOn,
        otherPrescriptions: isSpent ? 0 : coverage.others,
        coversNextCharge: !isSpent &&
          (!coverage.firstUncovered || coverage.firstUncovered >= endOfNextPeriod(demand)),
      };
    }
  }
}

const WHY_NONE = {
  NO_PRESCRIPTION: "there is no active prescription on file",
  WRONG_PRODUCT: "the prescriptions on file are for something else",
} as const;

/** A renewal is on the list this long before its campaign starts, so that people can see it come. */
export const OPENS_DAYS_BEFORE_START = 7;

/** True when this look means that the prescription must be renewed. */
export function needsRenewal(look: Look): boolean {
  return look.prescriptionId !== null && look.dueOn !== null &&
    (look.coverage?.kind === "spent" || look.finding === "EXPIRES" || look.finding === "RUNS_OUT");
}
