import type { Page } from "../contract.ts";
import type { Hint } from "../hints.ts";
import type { VendorEvent } from "../webhook.ts";

/** Clockwork's reads and acts at Stripe: reduced, camelCase. Amounts are in the currency's smallest unit (cents). */
export interface StripeClient extends StripePayments, StripeCustomers, StripeSubscriptions, StripeEvents {
  getPrice(id: string): Promise<StripePrice>;
  getCheckoutSession(id: string): Promise<StripeCheckoutSession>;
}

export interface StripePayments {
  /** The invoice with all its lines. An invoice does not show a refund: see `getGivenBack`. */
  getInvoice(id: string): Promise<StripeInvoice>;
  /** Everything that went back, or may go back, of an invoice's money. */
  getGivenBack(invoiceId: string): Promise<StripeGivenBack>;
  /**
   * The invoice of a charge (ch_, py_), a refund (re_, pyr_), a dispute (du_, dp_) or a credit note (cn_); null for one that
   * is about no invoice, and for any other object. An invoice's own id is returned as it is.
   */
  findInvoice(objectId: string): Promise<string | null>;
  /** The subscription's invoices that were made at or after `since`, with all their lines. Newest first. */
  listInvoices(query: { subscriptionId: string; since: Date }): Promise<StripeInvoice[]>;
  /** The customer's invoice items that wait for the next invoice: credits and debits of changes among them. */
  listPendingItems(customerId: string): Promise<StripeInvoiceLine[]>;
}

export interface StripeCustomers {
  /** Null for a customer that was deleted or never was. */
  getCustomer(id: string): Promise<StripeCustomer | null>;
  /** An absent fact stays as it is; null clears. */
  updateCustomer(id: string, facts: { email?: string | null; phone?: string | null }): Promise<void>;
  /** Customers with their subscriptions that have not ended, newest first, up to 100 a page (one call). */
  listCustomers(
    cursor: string | null,
  ): Promise<Page<StripeCustomer & { subscriptions: StripeSubscription[] }>>;
  /** True when a charge could be made: a default payment method, an old-style source, or any card on file. */
  hasPaymentMethod(customerId: string): Promise<boolean>;
  /** The customer of a payment method; null for one that is attached to nobody (any more). */
  getPaymentMethodCustomer(id: string): Promise<string | null>;
}

export interface StripeSubscriptions {
  /** Also a canceled one. */
  getSubscription(id: string): Promise<StripeSubscription>;
  /** Newest first, up to 100 a page (one call). Ended ones only with `ended`. */
  listSubscriptions(query: {
    customerId?: string;
    priceId?: string;
    ended?: boolean;
    cursor?: string | null;
  }): Promise<Page<StripeSubscription>>;
  /**
   * Charged at once, to the customer's default payment method or else to the newest one on file. The same
   * `idempotencyKey` within 24 h gives the same answer, a refusal too. Refused, with nothing made: 402 `card_declined`
   * and the like, 400 `resource_missing` without any payment method.
   */
  createSubscription(request: {
    customerId: string;
    priceId: string;
    metadata: Record<string, string>;
    idempotencyKey: string;
  }): Promise<StripeSubscription>;
  /** Collection paused (`void`: invoices of the pause are never asked for), and `metadata` merged in the same call. */
  pauseCollection(id: string, metadata: Record<string, string>): Promise<void>;
  /** Collection resumed; metadata values of "" remove their key. */
  resumeCollection(id: string, metadata: Record<string, string>): Promise<void>;
  /** Metadata merged and nothing else changed; values of "" remove their key. */
  setSubscriptionMetadata(id: string, metadata: Record<string, string>): Promise<void>;
  /**
   * Gives a subscription's item another price: no proration, no charge, the billing date stays. Only for a price of
   * the same interval: one with another cannot leave the billing date alone, and Stripe refuses it (400). `quantity` is
   * the item's own: without one, Stripe sets it to 1. Null for an item that has none (metered).
   */
  moveItemToPrice(move: {
    subscriptionId: string;
    itemId: string;
    priceId: string;
    quantity: number | null;
    idempotencyKey: string;
  }): Promise<void>;
}

export interface StripeEvents {
  /** Events of a window (both ends belong to it; Stripe keeps 30 days), reduced as the webhook does. At most 20 types. */
  listEvents(query: {
    types: readonly string[];
    since: Date;
    until: Date;
    cursor: string | null;
  }): Promise<Page<VendorEvent<Hint<"stripe">>>>;
  /**
   * The ids of the invoices that were paid in a window (both ends belong to it), also one whose events Stripe no longer
   * lists. Pages may be empty and still have a next one.
   */
  listPaidInvoices(query: { since: Date; until: Date; cursor: string | null }): Promise<Page<string>>;
}

export interface StripeCustomer {
  id: string;
  email: string | null;
  phone: string | null;
  metadata: Record<string, string>;
}

export interface StripePrice extends StripeInterval {
  id: string;
  active: boolean;
  /** Null where it depends on the quantity (tiers). */
  amount: number | null;
  /** Billed by use: its lines come without units that could be counted as parcels. */
  isMetered: boolean;
  currency: string;
}

/** The time between two charges. Null for a one-off price, and where the interval is new at Stripe. */
export interface StripeInterval {
  interval: "day" | "week" | "month" | "year" | null;
  intervalCount: number | null;
}

export interface StripeCheckoutSession {
  id: string;
  customerId: string | null;
  /** The customer's id that the company's own sign-up put there. */
  clientReferenceId: string | null;
  email: string | null;
  subscriptionId: string | null;
  metadata: Record<string, string>;
}

export interface StripeInvoice {
  id: string;
  /** draft, open, paid, uncollectible, void, or a new one. */
  status: string | null;
  customerId: string | null;
  /** The subscription that made it; null for a one-off invoice. */
  subscriptionId: string | null;
  /** subscription_create, subscription_cycle, subscription_update, manual, … */
  billingReason: string | null;
  createdAt: Date;
  /** How often a payment was tried. */
  attemptCount: number;
  /** When Stripe tries again; null when it does not. */
  nextPaymentAttempt: Date | null;
  currency: string;
  /** After discounts, with tax. Neither credit notes nor the customer's balance change it. */
  total: number;
  /** Taken off by credit notes before it was paid. */
  prePaymentCredits: number;
  /** Paid beyond what was due. */
  overpaid: number;
  lines: StripeInvoiceLine[];
}

export interface StripeInvoiceLine {
  /** il_…; of an item that waits for its invoice, ii_… */
  id: string;
  /** True for a charge for a subscription's item, a proration of one included; false for a one-off item. */
  isSubscriptionLine: boolean;
  priceId: string | null;
  /** Before discounts, without exclusive tax. Negative where the line gives money back. */
  amount: number;
  /** Null where the price has no quantity (metered). */
  quantity: number | null;
  /** True for a correction of a period already billed: no new period is paid by it. */
  proration: boolean;
  /** The lines of an earlier invoice that a negative proration takes back. */
  creditedLineIds: readonly string[];
  /** The invoice item that the line came from. */
  invoiceItemId: string | null;
  /** The invoice item that a negative proration takes back. */
  creditedItemId: string | null;
  subscriptionItemId: string | null;
  subscriptionId: string | null;
  /** The period of service that the line pays for. */
  periodStart: Date;
  periodEnd: Date;
}

export interface StripeGivenBack {
  /** Of every payment that was made. */
  refunds: StripeRefund[];
  disputes: StripeDispute[];
  creditNotes: StripeCreditNote[];
}

export interface StripeRefund {
  id: string;
  amount: number;
  /** pending, requires_action, succeeded, failed, canceled, or a new one. */
  status: string | null;
}

export interface StripeDispute {
  id: string;
  amount: number;
  /** warning_…, needs_response, under_review, won, lost, prevented, or a new one. */
  status: string;
  /** Money was taken for it. One that was blocked before it was a dispute took none. */
  isWithdrawn: boolean;
}

export interface StripeCreditNote {
  id: string;
  /** issued, void, or a new one. */
  status: string;
  /** With discounts and tax. */
  total: number;
  /** The part of `total` that came after the invoice was paid: refunded, put on the balance, or given back elsewhere. */
  postPayment: number;
  refundIds: readonly string[];
  /** `amount` is before discounts, without exclusive tax. `invoiceLineItemId` is null for a line of its own. */
  lines: { invoiceLineItemId: string | null; amount: number }[];
}

export interface StripeSubscription {
  id: string;
  customerId: string;
  /**
   * incomplete, incomplete_expired, trialing, active, past_due, unpaid, paused, canceled, or a new one. `unreadable`, and
   * without items, where the rest of the subscription could not be read.
   */
  status: string;
  /**
   * How collection is paused: its behavior, and ` until <time>` where the pause ends by itself. Null: it is not. Absent
   * counts as `void`, the behavior of {@link StripeClient.pauseCollection}.
   */
  collectionPause?: string | null;
  /** `pause_collection` is set: the status stays, but no renewal is charged. Not the same as status `paused`. */
  collectionPaused: boolean;
  /** Status `paused` alone: pause_requested, first_payment_failure, … Null where Stripe does not say. */
  pausedBecause: string | null;
  /** The end that is set for it: at a time, with its period, or with the last phase of its schedule. */
  endsAt: Date | null;
  createdAt: Date;
  endedAt: Date | null;
  metadata: Record<string, string>;
  /** The earliest end of an item's period. Null once it has ended. */
  nextRefillAt: Date | null;
  /** Its billing dates are counted from this time. */
  billingAnchor: Date;
  /** A schedule of Stripe's decides its prices from here on. */
  isScheduled: boolean;
  /** A change waits to be paid for, and will then replace its items. */
  hasPendingUpdate: boolean;
  items: StripeSubscriptionItem[];
}

export interface StripeSubscriptionItem extends StripeInterval {
  id: string;
  priceId: string;
  quantity: number | null;
  /** The end of this item's paid period, and so its next charge. */
  periodEnd: Date;
}
