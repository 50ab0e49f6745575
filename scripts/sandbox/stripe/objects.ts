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

export type CheckoutSession =
  & Wire<
    Stripe.Checkout.Session,
    Common | "client_reference_id" | "customer_email" | "mode" | "payment_status" | "status",
    { customer: string; invoice: string | null; metadata: Metadata; subscription: string }
  >
  & { customer_details: { email: string | null } };

export type Price =
  & Wire<Stripe.Price, Common | "active" | "currency" | "product", {
    unit_amount: number;
    type: "recurring";
  }>
  & { recurring: { interval: Interval; interval_count: number; usage_type: "licensed" } };

export type Interval = "day" | "week" | "month" | "year";

export type SubscriptionItem =
  & Wire<
    Stripe.SubscriptionItem,
    "id" | "object" | "created" | "current_period_start" | "current_period_end" | "metadata" | "subscription",
    { quantity: number }
  >
  & { price: Price };

export type TaxRate = Wire<
  Stripe.TaxRate,
  Common | "active" | "description" | "display_name" | "effective_percentage" | "inclusive" | "percentage",
  { metadata: Metadata }
>;

type SubscriptionTime = "billing_cycle_anchor" | "start_date" | "ended_at" | "trial_end" | "trial_start";
type Cancellation = "cancel_at" | "cancel_at_period_end" | "canceled_at";

export type Subscription =
  & Wire<
    Stripe.Subscription,
    Common | SubscriptionTime | Cancellation | "collection_method" | "currency" | "status",
    {
      customer: string;
      default_payment_method: string | null;
      discounts: string[];
      latest_invoice: string | null;
      schedule: string | null;
    }
  >
  & {
    billing_mode: { type: "flexible" };
    default_tax_rates: TaxRate[];
    pause_collection: { behavior: PauseBehavior; resumes_at: number | null } | null;
    pending_update: { expires_at: number } | null;
    items: List<SubscriptionItem>;
  };

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
      unit_amount_decimal: string;
    } | null;
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
    parent: {
      type: "subscription_details";
      quote_details: null;
      subscription_details: { subscription: string; metadata: Metadata };
    };
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

/** The number of a list's entries inside an object. The rest are read from the list's own address. */
const INLINE_LIMIT = 10;

/** A list inside an object. It has all its entries until {@link show} cuts it. */
export function listOf<T>(url: string, data: T[]): List<T> {
  return { object: "list", data, has_more: false, url };
}

/** A copy of the object for the wire, with inner lists cut to the first few entries. */
export function show(object: object): Record<string, unknown> {
  const copy: Record<string, unknown> = structuredClone({ ...object });
  for (const [name, value] of Object.entries(copy)) {
    if (isList(value)) {
      copy[name] = {
        ...value,
        data: value.data.slice(0, INLINE_LIMIT),
        has_more: value.data.length > INLINE_LIMIT,
      };
    }
  }
  return copy;
}

function isList(value: unknown): value is List<unknown> {
  return typeof value === "object" && value !== null && "object" in value && value.object === "list";
}
