import type Stripe from "stripe";

/**
 * The API version that the SDK pins. The types below are Stripe's objects on the wire in that version, with the fields
 * that the sandbox needs, checked against the SDK's own types. References are ids, never whole objects.
 */
export const API_VERSION = "2026-10-28.endive";

/** A list inside an object or as an answer. */
export interface List<T> {
  object: "list";
  data: T[];
  has_more: boolean;
  url: string;
}

/** Fields `Keys` of the SDK's type, with `Exact` narrowing some of them. */
export type Wire<T, Keys extends keyof T, Exact extends Partial<T>> =
  & Omit<Pick<T, Keys>, keyof Exact>
  & Exact;

export type Common = "id" | "object" | "created" | "livemode" | "metadata";
export type Money = "amount" | "currency";

export type Metadata = Record<string, string>;

export type Customer =
  & Wire<
    Stripe.Customer,
    Common | "email" | "phone" | "name" | "description" | "balance" | "currency" | "delinquent",
    { email: string | null; phone: string | null; default_source: string | null }
  >
  & { invoice_settings: { default_payment_method: string | null } };

export type DeletedCustomer = Stripe.DeletedCustomer;

export type PaymentMethod =
  & Wire<Stripe.PaymentMethod, Common, { customer: string; type: "card" }>
  & { card: { brand: string; exp_month: number; exp_year: number; last4: string } };

/** Without a `unit_amount` the amount comes from tiers, which are shown only where they are asked for. */
export type Price =
  & Wire<
    Stripe.Price,
    Common | "active" | "billing_scheme" | "currency" | "product" | "tiers_mode" | "unit_amount",
    { type: "recurring" | "one_time" }
  >
  & { recurring: Recurring | null };

export interface Recurring {
  interval: Interval;
  interval_count: number;
  meter: null;
  trial_period_days: null;
  /** `metered`: paid afterwards by what was used, with no quantity. */
  usage_type: "licensed" | "metered";
}

export type RecurringPrice = Price & { recurring: Recurring };

export type Interval = "day" | "week" | "month" | "year";

export type SubscriptionItem =
  & Wire<
    Stripe.SubscriptionItem,
    | "id"
    | "object"
    | "billed_until"
    | "created"
    | "current_period_start"
    | "current_period_end"
    | "metadata"
    | "quantity"
    | "subscription",
    Record<never, never>
  >
  & { price: RecurringPrice };

export type TaxRate = Wire<
  Stripe.TaxRate,
  Common | "active" | "description" | "display_name" | "effective_percentage" | "inclusive" | "percentage",
  { metadata: Metadata }
>;

type SubscriptionTime = "billing_cycle_anchor" | "start_date" | "ended_at" | "trial_end" | "trial_start";
type Cancellation = "cancel_at" | "cancel_at_period_end" | "canceled_at" | "cancellation_details";

export type Subscription =
  & Wire<
    Stripe.Subscription,
    | Common
    | SubscriptionTime
    | Cancellation
    | "collection_method"
    | "currency"
    | "next_pending_invoice_item_invoice"
    | "status",
    {
      customer: string;
      default_payment_method: string | null;
      discounts: string[];
      latest_invoice: string | null;
      schedule: string | null;
    }
  >
  & {
    billing_mode: { type: BillingMode; flexible: { proration_discounts: "included" } | null };
    billing_schedules: Stripe.Subscription.BillingSchedule[];
    default_tax_rates: TaxRate[];
    pause_collection: { behavior: PauseBehavior; resumes_at: number | null } | null;
    pending_invoice_item_interval: { interval: Interval; interval_count: number } | null;
    pending_update: PendingUpdate | null;
    status_details?: { paused: Stripe.Subscription.StatusDetails.Paused };
    trial_settings: { end_behavior: { billing_cycle_anchor: null; missing_payment_method: MissingMethod } };
    items: List<SubscriptionItem>;
  };

/** `classic` credits by the price of the moment, `flexible` by what was billed for the time. */
export type BillingMode = "classic" | "flexible";

/** The effect of a trial's end on a subscription without a payment method. */
export type MissingMethod = "cancel" | "create_invoice" | "pause";

/** A change that applies once the invoice that it made is paid. */
type PendingUpdate =
  & Wire<
    Stripe.Subscription.PendingUpdate,
    "billing_cycle_anchor" | "cancel_at_period_end" | "discount" | "expires_at" | "metadata",
    { discounts: string[] | null }
  >
  & Pick<Stripe.Subscription.PendingUpdate, "trial_end" | "trial_from_plan">
  & { subscription_items: SubscriptionItem[] | null };

export type PauseBehavior = "keep_as_draft" | "mark_uncollectible" | "void";

export interface DiscountAmount {
  amount: number;
  discount: string;
}

export type LineTax = Stripe.InvoiceLineItem.Tax;

type LineAmounts = Money | "discountable" | "quantity" | "subtotal";

export type InvoiceLine =
  & Wire<
    Stripe.InvoiceLineItem,
    Exclude<Common, "created"> | LineAmounts | "description" | "parent" | "period" | "taxes",
    {
      discount_amounts: DiscountAmount[];
      /** Of the line alone. The invoice's own discounts show in `discount_amounts` only. */
      discounts: string[];
      invoice: string;
      subscription: string | null;
      taxes: LineTax[];
    }
  >
  & {
    pricing: {
      type: "price_details";
      price_details: { price: string; product: string };
      unit_amount_decimal: string | null;
    } | null;
  };

type Credited = Stripe.InvoiceItem.ProrationDetails.CreditedItems;

/** A line before its invoice: pending until `invoice` names one. Every proration is made by one. */
export type InvoiceItem =
  & Wire<
    Stripe.InvoiceItem,
    | Exclude<Common, "created">
    | Money
    | "discountable"
    | "quantity"
    | "date"
    | "description"
    | "period"
    | "proration",
    { customer: string; invoice: string | null; metadata: Metadata }
  >
  & {
    parent: {
      type: "subscription_details";
      subscription_details: { subscription: string; subscription_item?: string };
    } | null;
    pricing: InvoiceLine["pricing"];
    proration_details?: { credited_items: Credited | null; discount_amounts: [] };
  };

type InvoiceAmounts = "amount_due" | "amount_paid" | "amount_remaining" | "currency" | "subtotal" | "total";
type WithoutTax = "subtotal_excluding_tax" | "total_excluding_tax";
type Balances = "ending_balance" | "starting_balance" | "amount_overpaid";
type Credits = "post_payment_credit_notes_amount" | "pre_payment_credit_notes_amount";
type Attempts = "attempt_count" | "attempted" | "auto_advance" | "next_payment_attempt";
type Billing = "billing_reason" | "collection_method" | "period_start" | "period_end";

export type Invoice =
  & Wire<
    Stripe.Invoice,
    | Common
    | InvoiceAmounts
    | WithoutTax
    | Balances
    | Credits
    | Attempts
    | Billing
    | "number"
    | "status"
    | "status_transitions",
    {
      amount_paid_off_stripe: number;
      customer: string;
      discounts: string[];
      total_discount_amounts: DiscountAmount[];
      total_taxes: LineTax[];
    }
  >
  & {
    /** Null on an invoice that no subscription made. */
    parent: {
      type: "subscription_details";
      quote_details: null;
      subscription_details: { subscription: string; metadata: Metadata };
    } | null;
    lines: List<InvoiceLine>;
  };

type Payment = "amount_paid" | "amount_requested" | "currency" | "payment";

export type InvoicePayment = Wire<
  Stripe.InvoicePayment,
  Exclude<Common, "metadata"> | Payment | "is_default" | "status" | "status_transitions",
  { invoice: string }
>;

export type PaymentIntent = Wire<
  Stripe.PaymentIntent,
  Common | Money | "amount_received" | "canceled_at" | "status",
  { customer: string; latest_charge: string | null; payment_method: string | null }
>;

/** An event shows the object as it was at that moment. */
export interface StripeEvent {
  id: string;
  object: "event";
  /** The connected account that it comes from. Absent for the platform's own. */
  account?: string;
  api_version: string;
  created: number;
  data: { object: Record<string, unknown>; previous_attributes?: Record<string, unknown> };
  livemode: boolean;
  pending_webhooks: number;
  request: { id: string | null; idempotency_key: string | null };
  type: string;
}

/** A list inside an object. It has all its entries until it is shown. */
export function listOf<T>(url: string, data: T[]): List<T> {
  return { object: "list", data, has_more: false, url };
}
