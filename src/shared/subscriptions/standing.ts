import type { StripeSubscription } from "../vendors/stripe/client.ts";

/**
 * The one judgement of a subscription: no other file compares Stripe's status words. A caller keeps its outcomes in a
 * record over the words below, so that a new word does not compile until each caller has decided.
 */
export interface Standing {
  state: SubscriptionState;
  pause: Pause;
  /** Cancelled, and paid until the end of its period. */
  isEnding: boolean;
}

export type SubscriptionState =
  /** Active, or in its trial. */
  | "WANTED"
  /** A charge failed and is tried again; the customer still refills. */
  | "PAST_DUE"
  /** Every try to charge failed. */
  | "UNPAID"
  /** Paused by its status. Collection may be paused besides: see `pause`. */
  | "PAUSED"
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

/** A subscription with an end has ended, in every status. */
export function standingOf(subscription: StripeSubscription): Standing {
  const { status, endedAt, cancelAtPeriodEnd: isEnding } = subscription;
  const state = endedAt === null ? STATES.get(status) ?? "UNKNOWN" : "ENDED";
  return { state, pause: pauseOf(subscription), isEnding };
}

/** A pause that behaves otherwise than ours is the customer's, even where our mark is left in the metadata. */
function pauseOf({ collectionPaused, collectionPause = "void", metadata }: StripeSubscription): Pause {
  if (!collectionPaused) return "NONE";
  return metadata[PAUSED_FOR_RENEWAL] && collectionPause === "void" ? "FOR_RENEWAL" : "BY_CUSTOMER";
}

/** Paused in either way, by the customer or by us. */
export function isPaused({ state, pause }: Standing): boolean {
  return state === "PAUSED" || pause !== "NONE";
}

export function isPausedForRenewal(subscription: StripeSubscription): boolean {
  return standingOf(subscription).pause === "FOR_RENEWAL";
}

const IN_USE: Record<SubscriptionState, boolean> = {
  WANTED: true,
  PAST_DUE: true,
  UNPAID: true,
  PAUSED: true,
  // Its first payment was never made.
  INCOMPLETE: false,
  ENDED: false,
  UNKNOWN: true,
};

/** It has begun and has not ended, so that it can still be charged: also when it is unpaid, paused or unknown. */
export function isInUse({ state }: Standing): boolean {
  return IN_USE[state];
}
