import { dayIn } from "../day.ts";
import { endsUncharged, type Pause, standingOf, type SubscriptionState } from "../subscriptions/standing.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import { type Difference, OWNERS } from "./owners.ts";

/** `plan_state` in the CRM: the first of these that is true of one of the customer's subscriptions. Names no product. */
const PLAN_STATES = [
  /** A charge failed and is tried again. */
  "past_due",
  "active",
  /** It ends before it is charged again. */
  "ending",
  /** We paused its billing until the prescription is renewed. */
  "renewal_needed",
  /** The customer paused it, by either kind of pause. */
  "paused",
  /** Stripe has a status that is not in subscriptions/standing.ts. */
  "unknown",
  "cancelled",
] as const;
type PlanState = (typeof PLAN_STATES)[number];

const PLAN_OF: Record<SubscriptionState, PlanState> = {
  WANTED: "active",
  PAST_DUE: "past_due",
  UNPAID: "cancelled",
  PAUSED: "paused",
  PAUSED_UNPAID: "paused",
  INCOMPLETE: "cancelled",
  ENDED: "cancelled",
  UNKNOWN: "unknown",
};
const PLAN_IN_PAUSE: Record<Pause, PlanState | undefined> = {
  NONE: undefined,
  FOR_RENEWAL: "renewal_needed",
  BY_CUSTOMER: "paused",
};

function planStateOf(subscription: StripeSubscription): PlanState {
  const { state, pause } = standingOf(subscription);
  const plan = PLAN_OF[state];
  if (plan === "cancelled" || plan === "paused") return plan;
  return PLAN_IN_PAUSE[pause] ?? (plan === "active" && endsUncharged(subscription) ? "ending" : plan);
}

/** A customer's plan, in the words of a CRM profile. */
export type Plan = Pick<CrmProfile, "planState" | "nextRefillOn">;

/**
 * The plan that follows from Stripe. `nextRefillOn` is the day of the next charge in the pharmacy's zone. It is null where
 * no subscription goes on: the CRM never runs a clock of its own.
 * @param subscriptions the customer's, ended ones may be left out
 */
export function planOf(subscriptions: readonly StripeSubscription[], timeZone: string): Plan {
  const states = subscriptions.map((one) => ({ state: planStateOf(one), nextRefillAt: one.nextRefillAt }));
  const planState = PLAN_STATES.find((known) => states.some(({ state }) => state === known)) ?? "cancelled";
  const charges = states.flatMap(({ state, nextRefillAt }) =>
    nextRefillAt && (state === "active" || state === "past_due") ? [nextRefillAt.getTime()] : []
  );
  if (charges.length === 0) return { planState, nextRefillOn: null };
  return { planState, nextRefillOn: dayIn(new Date(Math.min(...charges)), timeZone) };
}

/**
 * The mirrors that differ, in the order of `OWNERS.plan`. The CRM is told of no plan before the first subscription, so
 * an empty `plan_state` is the same as "cancelled".
 */
export function planDifferences(plan: Plan, profile: Plan): Difference[] {
  const [owned, shown] = [attributesOf(plan), attributesOf(profile)];
  return OWNERS.plan.mirrors.flatMap(({ system, attribute }): Difference[] => {
    const [owner, mirror] = [owned[attribute], shown[attribute]];
    if (owner === mirror) return [];
    if (attribute === "plan_state" && owner === "cancelled" && mirror === null) return [];
    return [{ fact: "plan", system, attribute, owner, mirror, awaitsConfirmation: false }];
  });
}

function attributesOf(plan: Plan) {
  return { plan_state: plan.planState, next_refill_on: plan.nextRefillOn };
}
