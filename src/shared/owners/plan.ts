import { dayIn } from "../day.ts";
import { type Pause, standingOf, type SubscriptionState } from "../subscriptions/standing.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import { OWNERS } from "./owners.ts";

/**
 * What the CRM mirrors of Stripe's active refills, over all of a customer's subscriptions: the first of these that is
 * true of one. Neutral words; no product.
 */
export const PLAN_STATES = [
  /** A charge failed and is tried again. */
  "past_due",
  "active",
  /** Cancelled, but paid for until the end of its period. */
  "ending",
  /** Billing is paused by us until the prescription is renewed. */
  "renewal_needed",
  /** By the customer: either kind of pause. */
  "paused",
  /** A status that nothing here understands. */
  "unknown",
  "cancelled",
] as const;
export type PlanState = (typeof PLAN_STATES)[number];

const PLAN_OF: Record<SubscriptionState, PlanState> = {
  WANTED: "active",
  PAST_DUE: "past_due",
  UNPAID: "cancelled",
  PAUSED: "paused",
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
  const { state, pause, isEnding } = standingOf(subscription);
  const plan = PLAN_OF[state];
  if (plan === "cancelled" || plan === "paused") return plan;
  return PLAN_IN_PAUSE[pause] ?? (plan === "active" && isEnding ? "ending" : plan);
}

/** The plan as the CRM has its profile say it. */
export type Plan = Pick<CrmProfile, "planState" | "nextRefillOn">;

/**
 * The plan as the CRM shows it. `nextRefillOn` is the day (in the pharmacy's zone) of the next charge of what goes on;
 * null where nothing does, so that the CRM never runs a clock of its own.
 * @param subscriptions the customer's, ended ones may be left out
 */
export function planOf(
  subscriptions: readonly StripeSubscription[],
  timeZone: string,
): Plan {
  const states = subscriptions.map((one) => ({ state: planStateOf(one), nextRefillAt: one.nextRefillAt }));
  const planState = PLAN_STATES.find((known) => states.some(({ state }) => state === known)) ?? "cancelled";
  const charges = states
    .flatMap(({ state, nextRefillAt }) =>
      nextRefillAt && (state === "active" || state === "past_due") ? [nextRefillAt.getTime()] : []
    );
  if (charges.length === 0) return { planState, nextRefillOn: null };
  return { planState, nextRefillOn: dayIn(new Date(Math.min(...charges)), timeZone) };
}

type PlanMirror = (typeof OWNERS.plan.mirrors)[number];

/** An attribute of the CRM's profile that does not show what Stripe says. */
export interface PlanDifference {
  system: PlanMirror["system"];
  attribute: PlanMirror["attribute"];
  owner: string | null;
  mirror: string | null;
}

/**
 * What differs, mirror by mirror as `OWNERS.plan` lists them. Nobody is told anything until they subscribe, so no state
 * at all says the same as "cancelled".
 */
export function planDifferences(plan: Plan, profile: Plan): PlanDifference[] {
  const [owned, shown] = [attributesOf(plan), attributesOf(profile)];
  return OWNERS.plan.mirrors.flatMap(({ system, attribute }): PlanDifference[] => {
    const [owner, mirror] = [owned[attribute], shown[attribute]];
    if (owner === mirror) return [];
    if (attribute === "plan_state" && owner === "cancelled" && mirror === null) return [];
    return [{ system, attribute, owner, mirror }];
  });
}

function attributesOf(plan: Plan): Record<PlanMirror["attribute"], string | null> {
  return { plan_state: plan.planState, next_refill_on: plan.nextRefillOn };
}
