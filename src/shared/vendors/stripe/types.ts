import type { Page } from "../contract.ts";

/** What Clockwork reads and does at Stripe: reduced, camelCase. Amounts are in the currency's smallest unit (cents). */
export interface StripeClient {
  /** The invoice with all its lines. An invoice does not show a refund: see `getInvoicePayment`. */
  getInvoice(id: string): Promise<StripeInvoice>;
  /** The charges that paid the invoice. None for a $0 invoice and for one paid outside Stripe. */
  getInvoicePayment(invoiceId: string): Promise<{ charges: StripeInvoiceCharge[] }>;
  getCharge(id: string): Promise<StripeCharge>;
  /** The id of the charge that a dispute (dp_…) is about: a thin event names only the dispute. */
  getDisputedCharge(disputeId: string): Promise<string>;
  /** Also a canceled one. */
  getSubscription(id: string): Promise<StripeSubscription>;
  /** Every credit note of the invoice, voided ones too. Newest first. */
  listCreditNotes(invoiceId: string): Promise<StripeCreditNote[]>;
  /** Subscriptions that have not ended, newest first, up to 100 a page (one call). */
  listSubscriptions(
    query: { customerId?: string; cursor?: string | null },
  ): Promise<Page<StripeSubscription>>;
  /** Collection paused (`void`: invoices of the pause are never asked for), and `metadata` merged in the same call. */
  pauseCollection(id: string, metadata: Record<string, string>): Promise<void>;
  /** Collection resumed; a metadata value of "" removes its key. */
  resumeCollection(id: string, metadata: Record<string, string>): Promise<void>;
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
  lines: StripeInvoiceLine[];
}

export interface StripeInvoiceLine {
  id: string;
  /** True for a charge for a subscription's item, a proration of one included; false for a one-off item. */
  isSubscriptionLine: boolean;
  priceId: string | null;
  /** Negative where the line gives money back. */
  amount: number;
  /** Null where the price has no quantity (metered). */
  quantity: number | null;
  /** True for a correction of a period already billed: no new period is paid by it. */
  proration: boolean;
  subscriptionItemId: string | null;
  subscriptionId: string | null;
  /** The period of service that the line pays for. */
  periodStart: Date;
  periodEnd: Date;
}

export interface StripeInvoiceCharge extends StripeChargeState {
  chargeId: string;
}

/** Where a charge stands. */
export interface StripeChargeState {
  amount: number;
  amountRefunded: number;
  /** True only when all of it was given back. */
  refunded: boolean;
  /** True from the first dispute on and for ever, whoever won. */
  disputed: boolean;
  /** The newest dispute: needs_response, under_review, won, lost, warning_…, or a new one; null without any. */
  disputeStatus: string | null;
}

export interface StripeCharge extends StripeChargeState {
  id: string;
  customerId: string | null;
  /** Null when the charge paid no invoice. */
  invoiceId: string | null;
}

export interface StripeSubscription {
  id: string;
  customerId: string;
  /** incomplete, incomplete_expired, trialing, active, past_due, unpaid, paused, canceled, or a new one. */
  status: string;
  /** `pause_collection` is set: the status stays, but no renewal is charged. Not the same as status `paused`. */
  collectionPaused: boolean;
  cancelAtPeriodEnd: boolean;
  createdAt: Date;
  endedAt: Date | null;
  /** The earliest end of an item's period. Null once it has ended. */
  nextRefillAt: Date | null;
  metadata: Record<string, string>;
  items: StripeSubscriptionItem[];
}

export interface StripeSubscriptionItem {
  id: string;
  priceId: string;
  quantity: number | null;
  /** When its paid period ends, that is: its next charge. */
  periodEnd: Date;
  /** day, week, month or year, or a new one; null for a price that does not recur. */
  interval: string | null;
  intervalCount: number | null;
}

export interface StripeCreditNote {
  id: string;
  /** issued, void, or a new one. */
  status: string;
  /** `invoiceLineItemId` is null for a line of its own. */
  lines: { invoiceLineItemId: string | null; amount: number }[];
}
