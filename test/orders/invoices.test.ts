import type Stripe from "stripe";
import { expect, test } from "vitest";
import { isLiveAtPharmacy, needsAttention } from "../../src/shared/orders/orders.ts";
import { type InvoiceState, invoiceStateOf } from "../../src/shared/orders/invoices.ts";
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
const invoice = (status: string | null): StripeInvoice => ({
  id: "in_1",
  status,
  customerId: "cus_1",
  subscriptionId: "sub_1",
  billingReason: null,
  createdAt: new Date("2026-01-01"),
  attemptCount: 1,
  nextPaymentAttempt: null,
  currency: "usd",
  total: 100,
  prePaymentCredits: 0,
  overpaid: 0,
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

test("a pharmacy's order may ship until it is cancelled or failed", () => {
  const isNot = PHARMACY_ORDER_STATES.filter((state) => !isLiveAtPharmacy(state));
  expect(isNot).toEqual(["canceled", "failed"]);
  const asks = PHARMACY_ORDER_STATES.filter(needsAttention);
  expect(asks).toEqual(["needs_attention"]);
});
