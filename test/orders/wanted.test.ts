import { describe, expect, test } from "vitest";
import { type Case, TREATMENTS } from "../../src/shared/orders/cases.ts";
import { wishCaseOf } from "../../src/shared/orders/wish.ts";
import { PAUSED_FOR_RENEWAL } from "../../src/shared/subscriptions/standing.ts";
import type { StripeSubscription } from "../../src/shared/vendors/stripe/client.ts";
import { day, item, line, productOf, slot, subscription } from "./support.ts";

// Section 3 of the policy, "Wanted", row by row: a paid fill that is due on day 30 and not sent.

const caseOf = (changes: Partial<StripeSubscription>, of = slot(30)): Case =>
  wishCaseOf(of, subscription(changes), productOf);

test.each(["active", "trialing", "past_due", "unpaid"])("%s: goes on", (status) => {
  expect(caseOf({ status })).toBe("FINE");
});

test.each(["first_payment_failure", "final_payment_failure", "trial_end_without_payment_method"])(
  "paused by Stripe for a failed payment (%s): goes on",
  (pausedBecause) => {
    expect(caseOf({ status: "paused", pausedBecause })).toBe("FINE");
  },
);

test("incomplete: waits", () => {
  expect(caseOf({ status: "incomplete" })).toBe("INCOMPLETE");
  expect(TREATMENTS.INCOMPLETE).toMatchObject({ notSent: "waits", sent: "stays" });
});

describe("paused by the customer: held until resumed", () => {
  test.each([
    ["pause_requested", { status: "paused", pausedBecause: "pause_requested" }],
    ["a pause that Stripe gives no reason for", { status: "paused" }],
    ["collection paused", { collectionPaused: true, collectionPause: "void" }],
    ["collection paused until a time", { collectionPaused: true, collectionPause: "void until 2027-03-01" }],
    ["collection paused, and ended since", { collectionPaused: true, endedAt: day(20), status: "canceled" }],
  ])("%s", (_name, changes) => {
    expect(caseOf(changes)).toBe("PAUSED");
    expect(TREATMENTS.PAUSED).toMatchObject({ notSent: "waits", sent: "stays" });
  });
});

test("our own pause for a renewal: as the prescription says", () => {
  const metadata = { [PAUSED_FOR_RENEWAL]: "7" };
  expect(caseOf({ collectionPaused: true, collectionPause: "void", metadata })).toBe("FINE");
});

test("ends at a date: due before it goes on, on or after it is a question", () => {
  expect(caseOf({ endsAt: day(31) })).toBe("FINE");
  expect(caseOf({ endsAt: day(30) })).toBe("ENDS_BEFORE");
  expect(caseOf({ endsAt: day(29) })).toBe("ENDS_BEFORE");
  expect(TREATMENTS.ENDS_BEFORE).toMatchObject({ notSent: "held", sent: "stays" });
});

test.each([
  ["canceled", { status: "canceled" }, "ENDED"],
  ["ended", { endedAt: day(10) }, "ENDED"],
  ["incomplete_expired", { status: "incomplete_expired" }, "ENDED"],
  ["a status nobody knows", { status: "hibernating" }, "UNKNOWN_STATUS"],
])("%s: question", (_name, changes, expected) => {
  expect(caseOf(changes)).toBe(expected);
  expect(TREATMENTS.ENDED).toMatchObject({ notSent: "held", sent: "stays" });
  expect(TREATMENTS.UNKNOWN_STATUS).toMatchObject({ notSent: "held", sent: "stays" });
});

describe("the item is another product, gone, or has fewer units: held, and a question in both states", () => {
  test.each([
    ["another product", [item("price_other")]],
    ["a price that nobody registered", [item("price_unknown")]],
    ["gone", [item("price_other", 1, "si_2")]],
    ["no item at all", []],
    ["fewer units", [item("price_quarter", 0)]],
  ])("%s", (_name, items) => {
    expect(caseOf({ items })).toBe("PRODUCT_LEFT");
  });

  test("fewer units than were paid for", () => {
    const two = slot(30, { line: line({ quantity: 2 }) });
    expect(caseOf({ items: [item("price_quarter", 1)] }, two)).toBe("PRODUCT_LEFT");
    expect(caseOf({ items: [item("price_quarter", 2)] }, two)).toBe("FINE");
    expect(TREATMENTS.PRODUCT_LEFT).toMatchObject({ notSent: "held", sent: "asked" });
  });
});

test("another price of the same product goes on, in the same item or in one that was put in anew", () => {
  expect(caseOf({ items: [item("price_quarter_new")] })).toBe("FINE");
  expect(caseOf({ items: [item("price_other"), item("price_quarter_new", 1, "si_2")] })).toBe("FINE");
});

test("more units than were paid for, and other products beside it, change nothing", () => {
  expect(caseOf({ items: [item("price_other", 1, "si_2"), item("price_quarter", 3)] })).toBe("FINE");
});
