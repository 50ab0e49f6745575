import type { TrackerRefillFindingsFinding } from "../db/types.ts";
import { addDays } from "../day.ts";
import { isWithPharmacy } from "../orders/orders.ts";
import { type AtPharmacy, type Coverage, coverageOf } from "../prescriptions/coverage.ts";
import { type Demand, demandOf, endOfNextPeriod, withFillsOn } from "../prescriptions/demand.ts";
import { type Limits, limitsOf, withinLimits } from "../prescriptions/limits.ts";
import { type Reason, reason, type ReasonCode, Retryable } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { endsUncharged, type Pause, standingOf, type SubscriptionState } from "../subscriptions/standing.ts";
import type { Prescription } from "../vendors/health.ts";
import type { StripeSubscription, StripeSubscriptionItem } from "../vendors/stripe/client.ts";
import {
  askPharmacyAbout,
  needsPrescription,
  ordersMovedSince,
  readContext,
  type RefillContext,
} from "./context.ts";

type Finding = TrackerRefillFindingsFinding;

/** One item of a subscription: Stripe says what is wanted, the health record what covers it. */
export interface Look {
  /** The subscription's own id where it has no item at all. */
  subscriptionItemId: string;
  subscriptionId: string;
  subscriptionCreatedAt: Date;
  customerId: number | null;
  productId: number | null;
  finding: Finding;
  /** The missing or unclear thing, in words without a medical fact. */
  what: string | null;
  /** The question to a person. */
  asks: Reason | null;
  /** Null where the subscription is not active, or the coverage is unknown. */
  coverage: Coverage | null;
  prescriptionId: string | null;
  /** The first day without a fill. */
  dueOn: Date | null;
  /** The day of the first mail: `dueOn` less the product's lead time. */
  startOn: Date | null;
  otherPrescriptions: number;
  /** Further active refills of the customer for the same product: they use the same fills. */
  otherRefills: number;
  /** False when the next charge will pay for a fill that no prescription covers. */
  coversNextCharge: boolean;
  /** Of the product's prescriptions. */
  limits: Limits;
  /** `dueOn` as it would be under former limits, with everything else as it is; null where those cover nothing. */
  dueUnder(limits: Limits): Date | null;
}

const FINDING_OF: Record<SubscriptionState, Finding | undefined> = {
  WANTED: undefined,
  PAST_DUE: undefined,
  UNPAID: "INACTIVE",
  PAUSED: "PAUSED",
  PAUSED_UNPAID: "PAUSED",
  INCOMPLETE: "INACTIVE",
  ENDED: "INACTIVE",
  UNKNOWN: "UNKNOWN_STATUS",
};
/** In the customer's own pause nobody is asked or written to. */
const FINDING_IN_PAUSE: Record<Pause, Finding | undefined> = {
  NONE: undefined,
  FOR_RENEWAL: undefined,
  BY_CUSTOMER: "PAUSED",
};

/** The finding that follows from Stripe alone, or undefined when the prescriptions decide. */
function findingOfSubscription(subscription: StripeSubscription): Finding | undefined {
  const { state, pause } = standingOf(subscription);
  const finding = FINDING_OF[state];
  if (finding === "INACTIVE") return finding;
  return FINDING_IN_PAUSE[pause] ?? finding ?? (endsUncharged(subscription) ? "ENDING" : undefined);
}

/** Looks at one page, at most, while its orders move. */
const LOOKS_AT_ONCE = 3;

/**
 * Looks at every item of these subscriptions that pays for fills. Two calls to the health record for up to 100
 * patients, none where no prescription decides; with `askPharmacy` one more per prescription in use.
 *
 * The pharmacy counts a fill before `tracker.orders` shows it as placed. With `askPharmacy`, mails and pauses of billing
 * follow from the look, so the orders must be the same before and after it.
 * @throws {Retryable} with `askPharmacy`, when the orders keep moving
 */
export async function lookAtRefills(
  ctx: StepContext,
  subscriptions: readonly StripeSubscription[],
  askPharmacy = false,
): Promise<Look[]> {
  for (let look = 1;; look++) {
    const context = await readContext(ctx, subscriptions, (one) => findingOfSubscription(one) === undefined);
    const looks: Look[] = [];
    for (const subscription of subscriptions) {
      const atPharmacy = askPharmacy
        ? await askPharmacyAbout(ctx, context, subscription.customerId)
        : new Map<string, AtPharmacy>();
      const items = subscription.items.length === 0
        ? [null]
        : subscription.items.filter(({ priceId }) => context.products.get(priceId)?.fillsPerCharge !== 0);
      looks.push(...items.map((item) => lookAtItem(subscription, item, context, ctx.now(), atPharmacy)));
    }
    if (!askPharmacy || !(await ordersMovedSince(ctx, context))) return looks;
    if (look === LOOKS_AT_ONCE) throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
  }
}

function lookAtItem(
  subscription: StripeSubscription,
  item: StripeSubscriptionItem | null,
  context: RefillContext,
  now: Date,
  atPharmacy: ReadonlyMap<string, AtPharmacy>,
): Look {
  const { id, status } = subscription;
  const customer = context.customers.get(subscription.customerId);
  const product = item ? context.products.get(item.priceId) : undefined;
  const base = emptyLook(subscription, item, context);
  const atStripe = findingOfSubscription(subscription);
  if (atStripe) {
    const isUnknown = atStripe === "UNKNOWN_STATUS";
    const asks = isUnknown ? reason("SUBSCRIPTION_STATUS_UNKNOWN", { subscription: id, status }) : null;
    return { ...base, finding: atStripe, asks };
  }
  const asking = (finding: Finding, what: string, code: ReasonCode, details: Reason["details"]): Look => ({
    ...base,
    finding,
    what,
    asks: reason(code, details),
  });
  const unclear = (what: string) => asking("UNCLEAR", what, "REFILL_UNCLEAR", { subscription: id, what });
  if (!item) return unclear("it has no product in it");
  if (!product) {
    const details = { system: "stripe_price", key: item.priceId };
    return asking("UNKNOWN_PRODUCT", `the product of price ${item.priceId}`, "UNKNOWN_PRODUCT", details);
  }
  const { productId, codes, leadDays } = product;
  if (codes.size === 0) {
    const details = { product: productId };
    return asking("UNKNOWN_PRODUCT", "the product's rxnorm code", "PRODUCT_HAS_NO_CODE", details);
  }
  if (!customer) {
    const details = { column: "stripe_customer_id", key: subscription.customerId };
    return asking("UNKNOWN_CUSTOMER", `the row of ${subscription.customerId}`, "UNKNOWN_CUSTOMER", details);
  }
  const patient = customer.health_patient_id;
  if (!patient) {
    const details = { customer: customer.id, column: "health_patient_id" };
    return asking("UNKNOWN_CUSTOMER", "health_patient_id", "MISSING_CUSTOMER_KEY", details);
  }
  const orders = context.orders.filter((one) => one.customer_id === customer.id);
  const waiting = orders.filter((one) => one.product_id === productId && needsPrescription(one));
  const wanted = demandOf(item, product.fillsPerCharge, waiting.map((one) => one.fill_on));
  if ("unclear" in wanted) return unclear(wanted.unclear);
  const prescriptions = context.prescriptions.get(patient);
  if (!prescriptions) {
    const details = { customer: customer.id, patient };
    return context.unanswered.has(patient)
      ? asking(
        "DATES_UNKNOWN",
        "an answer of the health record about the patient",
        "HEALTH_PATIENT_UNANSWERED",
        details,
      )
      : asking("UNKNOWN_CUSTOMER", "its patient in the health record", "HEALTH_PATIENT_UNKNOWN", details);
  }
  const { state, pause } = standingOf(subscription);
  // The period has moved on, but Stripe tries the failed charge again, which pays for fills on the day it succeeds.
  const demand = state === "PAST_DUE" ? withFillsOn(now, wanted) : wanted;
  const { timeZone } = context;
  // Two refills of one product use its fills twice as fast.
  const shared = { ...demand, fillsPerCharge: demand.fillsPerCharge * (1 + base.otherRefills) };
  const inFlight = orders.flatMap((one) =>
    isWithPharmacy(one.state) && one.prescription_id
      ? [{ prescriptionId: one.prescription_id, placedAt: one.placed_at ?? one.created_at }]
      : []
  );
  const coverageBy = (all: readonly Prescription[], copies: ReadonlyMap<string, AtPharmacy>) =>
    coverageOf(all, codes, shared, inFlight, now, timeZone, copies);
  const coverage = coverageBy(prescriptions, atPharmacy);
  const look: Look = {
    ...base,
    ...lookAtCoverage(coverage, demand, id, leadDays, now, timeZone),
    limits: limitsOf(prescriptions, codes, atPharmacy, now, timeZone),
    dueUnder(limits) {
      const former = withinLimits(prescriptions, atPharmacy, limits, timeZone);
      const then = coverageBy(former.prescriptions, former.atPharmacy);
      return "dueOn" in then ? then.dueOn : null;
    },
  };
  const isPaused = pause === "FOR_RENEWAL" && look.finding !== "COVERED";
  return isPaused ? { ...look, finding: "PAUSED_FOR_RENEWAL" } : look;
}

/** The look before anything is decided. Of two refills for one product, the later asks a person. */
function emptyLook(
  subscription: StripeSubscription,
  item: StripeSubscriptionItem | null,
  context: RefillContext,
): Look {
  const customer = context.customers.get(subscription.customerId);
  const product = item ? context.products.get(item.priceId) : undefined;
  const ownId = item?.id ?? subscription.id;
  const twins = context.refills.filter((one) =>
    one.customerId === customer?.id && one.productId === product?.productId &&
    one.subscriptionItemId !== ownId
  );
  const former = twins.find((twin) => twin.subscriptionItemId < ownId);
  const details = { subscription: subscription.id, other: former?.subscriptionId ?? "" };
  return {
    subscriptionItemId: ownId,
    subscriptionId: subscription.id,
    subscriptionCreatedAt: subscription.createdAt,
    customerId: customer?.id ?? null,
    productId: product?.productId ?? null,
    finding: "UNCLEAR",
    what: null,
    asks: customer && former ? reason("REFILL_TWICE", { customer: customer.id, ...details }) : null,
    coverage: null,
    prescriptionId: null,
    dueOn: null,
    startOn: null,
    otherPrescriptions: 0,
    otherRefills: twins.length,
    coversNextCharge: true,
    limits: {},
    dueUnder: () => null,
  };
}

function lookAtCoverage(
  coverage: Coverage,
  demand: Demand,
  subscription: string,
  leadDays: number,
  now: Date,
  timeZone: string,
): Partial<Look> & Pick<Look, "finding" | "coverage"> {
  switch (coverage.kind) {
    case "none":
      return {
        finding: coverage.why,
        coverage,
        coversNextCharge: false,
        asks: reason("REFILL_WITHOUT_PRESCRIPTION", { subscription, why: WHY_NONE[coverage.why] }),
      };
    case "unclear": {
      const { what, prescriptionId } = coverage;
      const asks = reason("REFILL_DATES_UNKNOWN", { subscription, what, prescription: prescriptionId });
      return { finding: "DATES_UNKNOWN", coverage, what, prescriptionId, coversNextCharge: false, asks };
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
const OPENS_DAYS_BEFORE_START = 7;

/** True when this look means that the prescription must be renewed. */
export function needsRenewal(look: Look): boolean {
  return look.prescriptionId !== null && look.dueOn !== null &&
    (look.coverage?.kind === "spent" || look.finding === "EXPIRES" || look.finding === "RUNS_OUT");
}
