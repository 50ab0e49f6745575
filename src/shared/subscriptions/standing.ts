import type { StripeSubscription } from "../vendors/stripe/client.ts";

/**
 * Where a subscription stands: the one judge of Stripe's status words, which no other file compares. A caller keeps its
 * outcomes in a record over the words below, so that a new word does not compile until each caller has decided.
 */
export interface Standing {
  state: SubscriptionState;
  pause: Pause;
  /** It is cancelled, and paid for until the end of its period. */
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
  /** A word that nothing here understands. It counts as nothing else. */
  | "UNKNOWN";

/** Who paused collection: the status stays, and no renewal is charged. */
export type Pause = "NONE" | "FOR_RENEWAL" | "BY_CUSTOMER";

/** Set in a subscription's metadata while billing is paused by a renewal: its number. */
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

/** One with an end has ended, by whichever word. */
export function standingOf(subscription: StripeSubscription): Standing {
  const { status, endedAt, cancelAtPeriodEnd: isEnding } = subscription;
  const state = endedAt === null ? STATES.get(status) ?? "UNKNOWN" : "ENDED";
  return { state, pause: pauseOf(subscription), isEnding };
}

/** A pause that behaves otherwise than ours was put in its place, even where our mark is left in the metadata. */
function pauseOf({ collectionPaused, collectionPause = "void", metadata }: StripeSubscription): Pause {
  if (!collectionPaused) return "NONE";
  return metadata[PAUSED_FOR_RENEWAL] && collectionPause === "void" ? "FOR_RENEWAL" : "BY_CUSTOMER";
}

/** Paused in either way, by anybody. */
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

/** It has begun and has not ended, so that it can still be charged for: also when it is unpaid, paused or unknown. */
export function isInUse({ state }: Standing): boolean {
  return IN_USE[state];
}
