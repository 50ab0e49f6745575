import type {
  StripeCreditNote,
  StripeGivenBack,
  StripeInvoice,
  StripeInvoiceLine,
  StripeSubscription,
} from "../../src/shared/vendors/stripe/client.ts";
import { keptOf } from "../../src/shared/orders/kept.ts";
import type { Slot } from "../../src/shared/orders/credits.ts";
import type { MoneyFacts } from "../../src/shared/orders/money.ts";

/** Small inputs for the judgement of a fill: a quarter of 129.00 that pays for three fills, 30 days apart. */

export const day = (number: number) => new Date(Date.UTC(2027, 0, 1) + number * 86_400_000);

/** Prices, by product: two prices of product 1, and one of product 2. */
const PRODUCTS = new Map([["price_quarter", 1], ["price_quarter_new", 1], ["price_other", 2]]);
export const productOf = (priceId: string | null) => PRODUCTS.get(priceId ?? "");

export const line = (changes: Partial<StripeInvoiceLine> = {}): StripeInvoiceLine => ({
  id: "il_1",
  isSubscriptionLine: true,
  priceId: "price_quarter",
  amount: 12_900,
  quantity: 1,
  proration: false,
  creditedLineIds: [],
  invoiceItemId: null,
  creditedItemId: null,
  subscriptionItemId: "si_1",
  subscriptionId: "sub_1",
  periodStart: day(0),
  periodEnd: day(90),
  ...changes,
});

export const invoice = (changes: Partial<StripeInvoice> = {}): StripeInvoice => ({
  id: "in_1",
  status: "paid",
  customerId: "cus_1",
  subscriptionId: "sub_1",
  billingReason: "subscription_cycle",
  createdAt: day(0),
  attemptCount: 1,
  nextPaymentAttempt: null,
  currency: "usd",
  total: 12_900,
  prePaymentCredits: 0,
  overpaid: 0,
  lines: [line()],
  ...changes,
});

const GIVEN_BACK: StripeGivenBack = { refunds: [], disputes: [], creditNotes: [] };

export const givenBack = (changes: Partial<StripeGivenBack>): StripeGivenBack => ({
  ...GIVEN_BACK,
  ...changes,
});

export const note = (amount: number, changes: Partial<StripeCreditNote> = {}): StripeCreditNote => ({
  id: "cn_1",
  status: "issued",
  total: amount,
  postPayment: amount,
  refundIds: [],
  lines: [{ invoiceLineItemId: "il_1", amount }],
  ...changes,
});

export function moneyFacts(
  { paid = invoice(), back = GIVEN_BACK, changes = [] }: {
    paid?: StripeInvoice;
    back?: StripeGivenBack;
    changes?: StripeInvoiceLine[];
  } = {},
): MoneyFacts {
  return { invoice: paid, kept: keptOf(paid, back), changes, productOf };
}

/** The slot of a fill, by the day on which it is due. */
export const slot = (dueOn: number, changes: Partial<Slot> = {}): Slot => ({
  line: line(),
  productId: 1,
  dueOn: day(dueOn),
  ...changes,
});

export const subscription = (changes: Partial<StripeSubscription> = {}): StripeSubscription => ({
  id: "sub_1",
  customerId: "cus_1",
  status: "active",
  collectionPaused: false,
  pausedBecause: null,
  endsAt: null,
  createdAt: day(0),
  endedAt: null,
  metadata: {},
  nextRefillAt: day(90),
  billingAnchor: day(0),
  isScheduled: false,
  hasPendingUpdate: false,
  items: [item()],
  ...changes,
});

export const item = (priceId = "price_quarter", quantity = 1, id = "si_1") => ({
  id,
  priceId,
  quantity,
  periodEnd: day(90),
  interval: "month" as const,
  intervalCount: 3,
});
