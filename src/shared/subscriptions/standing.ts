import type { StripeSubscription } from "../vendors/stripe/client.ts";

/**
 * The one judgement of a subscription: no other file compares Stripe's status words. A caller keeps its outcomes in a
 * record over the words below, so that a new word does not compile until each caller has decided.
 */
export interface Standing {
  state: SubscriptionState;
  pause: Pause;
  /** The end that is set for it, however it was set; null: none, or it has ended. */
  endsAt: Date | null;
}

export type SubscriptionState =
  /** Active, or in its trial. */
  | "WANTED"
  /** A charge failed and is tried again; the customer still refills. */
  | "PAST_DUE"
  /** Every try to charge failed. */
  | "UNPAID"
  /** Paused by its status, on request. Collection may be paused besides: see `pause`. */
  | "PAUSED"
  /** Paused by its status, by Stripe, because a payment failed or there was no card. */
  | "PAUSED_UNPAID"
  /** Its first charge is not paid yet. */
  | "INCOMPLETE"
  /** Cancelled, or never paid for in time. */
  | "ENDED"
  /** A word that is not in this file. It counts as nothing else. */
  | "UNKNOWN";

/** A pause of collection: the status stays, and no period is charged. */
export type Pause = "NONE" | "FOR_RENEWAL" | "BY_CUSTOMER";

/** The key in a subscription's metadata with the number of the renewal that paused its billing. */
export const PAUSED_FOR_RENEWAL = "clockwork_paused_for_renewal";

/** Source: https://docs.stripe.com/api/subscriptions/object#subscription_object-status */
const STATES = new Map<string, SubscriptionState>([
  ["active", "WANTED"],
  ["trialing", "WANTED"],
  ["past_due", "PAST_DUE"],
  ["unpaid", "UNPAID"],
  ["paused", "PAUSED"],
  ["incomplete", "INCOMPLETE"],
  ["incomplete_expired", "ENDED"],
  ["canceled", "ENDED"],
]);

/** Source: `Subscription.StatusDetails.Paused` of the SDK's types. Every other word counts as a request. */
const PAUSED_BY_STRIPE = new Set([
  "first_payment_failure",
  "final_payment_failure",
  "trial_end_without_payment_method",
]);

/** A subscription whose end has come has ended, in every status. */
export function standingOf(subscription: StripeSubscription): Standing {
  const { endedAt, endsAt } = subscription;
  const state = endedAt === null ? stateOf(subscription) : "ENDED";
  return { state, pause: pauseOf(subscription), endsAt: state === "ENDED" ? null : endsAt };
}

function stateOf({ status, pausedBecause }: StripeSubscription): SubscriptionState {
  const state = STATES.get(status) ?? "UNKNOWN";
  return state === "PAUSED" && PAUSED_BY_STRIPE.has(pausedBecause ?? "") ? "PAUSED_UNPAID" : state;
}

/** True when it ends before it is charged again. */
export function endsUncharged(subscription: StripeSubscription): boolean {
  const { endsAt } = standingOf(subscription);
  const { nextRefillAt } = subscription;
  return endsAt !== null && (nextRefillAt === null || endsAt <= nextRefillAt);
}

/** A pause that behaves otherwise than ours is the customer's, even where our mark is left in the metadata. */
function pauseOf({ collectionPaused, collectionPause = "void", metadata }: StripeSubscription): Pause {
  if (!collectionPaused) return "NONE";
  return metadata[PAUSED_FOR_RENEWAL] && collectionPause === "void" ? "FOR_RENEWAL" : "BY_CUSTOMER";
}

/** Paused in either way, by the customer or by us. */
export function isPaused({ state, pause }: Standing): boolean {
  return state === "PAUSED" || state === "PAUSED_UNPAID" || pause !== "NONE";
}

export function isPausedForRenewal(subscription: StripeSubscription): boolean {
  return standingOf(subscription).pause === "FOR_RENEWAL";
}

const IN_USE: Record<SubscriptionState, boolean> = {
  WANTED: true,
  PAST_DUE: true,
  UNPAID: true,
  PAUSED: true,
  PAUSED_UNPAID: true,
  // Its first payment was never made.
  INCOMPLETE: false,
  ENDED: false,
  UNKNOWN: true,
};

/** It has begun and has not ended, so that it can still be charged: also when it is unpaid, paused or unknown. */
export function isInUse({ state }: Standing): boolean {
  return IN_USE[state];
}
