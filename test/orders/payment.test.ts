import type Stripe from "stripe";
import { expect, test } from "vitest";
import { isLiveAtPharmacy, needsAttention } from "../../src/shared/orders/orders.ts";
import { type InvoiceState, invoiceStateOf, isDisputed } from "../../src/shared/orders/payment.ts";
import { PHARMACY_ORDER_STATES } from "../../src/shared/vendors/pharmacy.ts";
import type { StripeInvoice } from "../../src/shared/vendors/stripe/client.ts";

/** A word that is new in Stripe's package does not compile until it stands here. */
const INVOICES: Record<Stripe.Invoice.Status, InvoiceState> = {
  draft: "DRAFT",
  open: "OPEN",
  paid: "PAID",
  void: "GIVEN_UP",
  uncollectible: "GIVEN_UP",
};
/** Whether the charge counts as disputed. */
const DISPUTES: Record<Stripe.Dispute.Status, boolean> = {
  needs_response: true,
  under_review: true,
  lost: true,
  won: false,
  prevented: false,
  warning_needs_response: true,
  warning_under_review: true,
  warning_closed: false,
  appeal_needs_response: true,
  appeal_under_review: true,
};

const invoice = (status: string | null): StripeInvoice => ({
  id: "in_1",
  status,
  customerId: "cus_1",
  subscriptionId: "sub_1",
  billingReason: null,
  createdAt: new Date("2026-01-01"),
  attemptCount: 1,
  nextPaymentAttempt: null,
  lines: [],
});
test.each([
  ...Object.entries(INVOICES),
  ["constructor", "UNKNOWN"],
  ["PAID", "UNKNOWN"],
  ["", "UNKNOWN"],
  [null, "UNKNOWN"],
])("an invoice with status %j is %s", (status, state) => {
  expect(invoiceStateOf(invoice(status))).toBe(state);
});

test.each([...Object.entries(DISPUTES), ["a new word", true], [null, true]] as const)(
  "a dispute that is %j keeps back what was paid: %s",
  (disputeStatus, expected) => {
    const charge = { amount: 100, amountRefunded: 0, refunded: false, disputed: true, disputeStatus };
    expect(isDisputed(charge)).toBe(expected);
    expect(isDisputed({ ...charge, disputed: false })).toBe(false);
  },
);

test("a pharmacy's order may ship until it is cancelled or failed", () => {
  const isNot = PHARMACY_ORDER_STATES.filter((state) => !isLiveAtPharmacy(state));
  expect(isNot).toEqual(["canceled", "failed"]);
  const asks = PHARMACY_ORDER_STATES.filter(needsAttention);
  expect(asks).toEqual(["needs_attention"]);
});
