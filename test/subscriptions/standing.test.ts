import type Stripe from "stripe";
import { describe, expect, test } from "vitest";
import {
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
import { paidFillOf } from "../../src/shared/subscriptions/paid-fill.ts";
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
  cancelAtPeriodEnd: false,
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
    for (const cancelAtPeriodEnd of [false, true]) {
      const one = subscription({ status, cancelAtPeriodEnd, ...collection });
      expect(standingOf(one)).toEqual({ state, pause, isEnding: cancelAtPeriodEnd });
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

test("a paid fill ships while its subscription goes on, and never under another word", () => {
  const ships = STATES.filter(([status]) => paidFillOf(standingOf(subscription({ status }))) === "SHIPS");
  expect(ships.map(([status]) => status)).toEqual(["active", "trialing", "past_due"]);
  for (const [_name, collection, pause] of PAUSES.filter(([, , pause]) => pause !== "NONE")) {
    for (const [status, state] of STATES) {
      const fill = paidFillOf(standingOf(subscription({ status, ...collection })));
      const inOurs = ships.some(([word]) => word === status)
        ? "SHIPS"
        : state === "PAUSED"
        ? "WAITS"
        : "ASKS";
      expect([status, fill]).toEqual([status, pause === "BY_CUSTOMER" ? "WAITS" : inOurs]);
    }
  }
});

test.each(UNKNOWN)("the word %j never ships, moves or bills, but it is counted", (status) => {
  const one = subscription({ status });
  expect(paidFillOf(standingOf(one))).toBe("ASKS");
  expect(planOf([one], "UTC")).toEqual({ planState: "unknown", nextRefillOn: null });
  expect(judgeItem(one, "si_1", { from: "price_1", to: "price_2" })).toBe("UNKNOWN_STATUS");
  expect(countPrices([one])).toEqual(new Map([["price_1", { inUse: 1, paused: 0 }]]));
});
