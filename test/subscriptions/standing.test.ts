import type Stripe from "stripe";
import { describe, expect, test } from "vitest";
import {
  endsUncharged,
  isInUse,
  isPaused,
  isPausedForRenewal,
  type Pause,
  PAUSED_FOR_RENEWAL,
  standingOf,
  type SubscriptionState,
} from "../../src/shared/subscriptions/standing.ts";
import { planOf } from "../../src/shared/owners/plan.ts";
import { countPrices } from "../../src/shared/products/counts.ts";
import { judgeItem } from "../../src/shared/products/judge.ts";
import type { StripeSubscription } from "../../src/shared/vendors/stripe/client.ts";

/** A word that is new in Stripe's package does not compile until it stands here. */
const WORDS: Record<Stripe.Subscription.Status, SubscriptionState> = {
  active: "WANTED",
  trialing: "WANTED",
  past_due: "PAST_DUE",
  unpaid: "UNPAID",
  paused: "PAUSED",
  incomplete: "INCOMPLETE",
  incomplete_expired: "ENDED",
  canceled: "ENDED",
};
const UNKNOWN = ["hibernating", "unreadable", "", "ACTIVE", " active", "constructor", "__proto__"];
const STATES: [status: string, state: SubscriptionState][] = [
  ...Object.entries(WORDS),
  ...UNKNOWN.map((word): [string, SubscriptionState] => [word, "UNKNOWN"]),
];

const mark = { [PAUSED_FOR_RENEWAL]: "7" };
const PAUSES: [name: string, Partial<StripeSubscription>, Pause][] = [
  ["none", { collectionPaused: false, collectionPause: null }, "NONE"],
  ["none, our mark left", { collectionPaused: false, collectionPause: null, metadata: mark }, "NONE"],
  ["the customer's", { collectionPaused: true, collectionPause: "void" }, "BY_CUSTOMER"],
  ["the customer's, it ends", { collectionPaused: true, collectionPause: "void until 2027" }, "BY_CUSTOMER"],
  ["ours", { collectionPaused: true, collectionPause: "void", metadata: mark }, "FOR_RENEWAL"],
  ["ours, behavior not told", { collectionPaused: true, metadata: mark }, "FOR_RENEWAL"],
  ["an empty mark", { collectionPaused: true, metadata: { [PAUSED_FOR_RENEWAL]: "" } }, "BY_CUSTOMER"],
  [
    "ours, put off by another kind",
    { collectionPaused: true, collectionPause: "keep_as_draft", metadata: mark },
    "BY_CUSTOMER",
  ],
  [
    "ours, now with an end",
    { collectionPaused: true, collectionPause: "void until 2027", metadata: mark },
    "BY_CUSTOMER",
  ],
];

const subscription = (changes: Partial<StripeSubscription>): StripeSubscription => ({
  id: "sub_1",
  customerId: "cus_1",
  status: "active",
  collectionPaused: false,
  pausedBecause: null,
  endsAt: null,
  createdAt: new Date("2026-01-01"),
  endedAt: null,
  metadata: {},
  nextRefillAt: new Date("2026-03-08"),
  billingAnchor: new Date("2026-01-01"),
  isScheduled: false,
  hasPendingUpdate: false,
  items: [{
    id: "si_1",
    priceId: "price_1",
    quantity: 1,
    periodEnd: new Date("2026-03-08"),
    interval: "month",
    intervalCount: 1,
  }],
  ...changes,
});

describe.each(STATES)("status %j", (status, state) => {
  test.each(PAUSES)(`is ${state}, whoever paused collection: %s`, (_name, collection, pause) => {
    for (const endsAt of [null, new Date("2026-03-08")]) {
      const one = subscription({ status, endsAt, ...collection });
      expect(standingOf(one)).toEqual({ state, pause, endsAt: state === "ENDED" ? null : endsAt });
      expect(isPausedForRenewal(one)).toBe(pause === "FOR_RENEWAL");
      expect(isPaused(standingOf(one))).toBe(state === "PAUSED" || pause !== "NONE");
    }
  });

  test("has ended once it has an end", () => {
    const ended = standingOf(subscription({ status, endedAt: new Date("2026-02-01") }));
    expect(ended.state).toBe("ENDED");
    expect(isInUse(ended)).toBe(false);
  });
});

test("in use is whatever can still be charged for, an unknown word included", () => {
  const inUse = STATES.filter(([status]) => isInUse(standingOf(subscription({ status })))).map(([word]) =>
    word
  );
  expect(inUse).toEqual(["active", "trialing", "past_due", "unpaid", "paused", ...UNKNOWN]);
});

test.each(
  [
    ["pause_requested", "PAUSED"],
    ["system", "PAUSED"],
    [null, "PAUSED"],
    ["first_payment_failure", "PAUSED_UNPAID"],
    ["final_payment_failure", "PAUSED_UNPAID"],
    ["trial_end_without_payment_method", "PAUSED_UNPAID"],
  ] as const,
)("a pause by the status because of %s is %s", (pausedBecause, state) => {
  expect(standingOf(subscription({ status: "paused", pausedBecause })).state).toBe(state);
  expect(standingOf(subscription({ status: "active", pausedBecause })).state).toBe("WANTED");
});

test("it ends uncharged where its end comes with the next charge or before", () => {
  const ends = (endsAt: string | null) =>
    endsUncharged(subscription({ endsAt: endsAt === null ? null : new Date(endsAt) }));
  expect([ends(null), ends("2026-03-07"), ends("2026-03-08"), ends("2026-03-09")])
    .toEqual([false, true, true, false]);
});

test.each(UNKNOWN)("the word %j never moves or bills, but it is counted", (status) => {
  const one = subscription({ status });
  expect(planOf([one], "UTC")).toEqual({ planState: "unknown", nextRefillOn: null });
  expect(judgeItem(one, "si_1", { from: "price_1", to: "price_2" })).toBe("UNKNOWN_STATUS");
  expect(countPrices([one])).toEqual(new Map([["price_1", { inUse: 1, paused: 0 }]]));
});
