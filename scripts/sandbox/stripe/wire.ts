import type Stripe from "stripe";
import type { List } from "./objects.ts";

/** The number of a list's entries inside an object. The rest are read from the list's own address. */
const INLINE_LIMIT = 10;

const NO_TAX = { disabled_reason: null, enabled: false, liability: null };
const NO_INVOICE_SETTINGS = {
  account_tax_ids: null,
  custom_fields: null,
  description: null,
  footer: null,
  issuer: { type: "self" },
};

/** The fields of Stripe's objects, by kind, that no act of the sandbox changes. An object's own fields go before them. */
const UNCHANGED = {
  subscription: {
    application: null,
    application_fee_percent: null,
    automatic_tax: NO_TAX,
    billing_cycle_anchor_config: null,
    billing_thresholds: null,
    customer_account: null,
    days_until_due: null,
    default_source: null,
    description: null,
    invoice_settings: NO_INVOICE_SETTINGS,
    managed_payments: null,
    on_behalf_of: null,
    payment_settings: null,
    pending_setup_intent: null,
    test_clock: null,
    transfer_data: null,
  },
  subscription_item: { billing_thresholds: null, current_trial: null, discounts: [], tax_rates: [] },
  subscription_schedule: {
    application: null,
    customer_account: null,
    default_settings: {
      application_fee_percent: null,
      automatic_tax: NO_TAX,
      billing_cycle_anchor: "automatic",
      billing_thresholds: null,
      collection_method: "charge_automatically",
      default_payment_method: null,
      description: null,
      invoice_settings: { ...NO_INVOICE_SETTINGS, days_until_due: null },
      on_behalf_of: null,
      transfer_data: null,
    },
    pause_schedules: [],
    test_clock: null,
  },
  invoiceitem: { customer_account: null, discounts: [], tax_rates: [], test_clock: null },
  line_item: { pretax_credit_amounts: [] },
  invoice: {
    account_country: "US",
    account_name: "Clockwork",
    account_tax_ids: null,
    amount_shipping: 0,
    application: null,
    automatic_tax: { ...NO_TAX, provider: null, status: null },
    automatically_finalizes_at: null,
    custom_fields: null,
    customer_account: null,
    customer_address: null,
    customer_email: null,
    customer_name: null,
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: "none",
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    due_date: null,
    effective_at: null,
    footer: null,
    from_invoice: null,
    issuer: { type: "self" },
    last_finalization_error: null,
    latest_revision: null,
    on_behalf_of: null,
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    statement_descriptor: null,
    test_clock: null,
    total_pretax_credit_amounts: [],
    webhooks_delivered_at: null,
  },
  price: {
    custom_unit_amount: null,
    lookup_key: null,
    nickname: null,
    tax_behavior: "unspecified",
    transform_quantity: null,
  },
} satisfies {
  subscription: Partial<Stripe.Subscription>;
  subscription_item: Partial<Stripe.SubscriptionItem>;
  subscription_schedule: Partial<Stripe.SubscriptionSchedule>;
  invoiceitem: Partial<Stripe.InvoiceItem>;
  line_item: Partial<Stripe.InvoiceLineItem>;
  invoice: Partial<Stripe.Invoice>;
  price: Partial<Stripe.Price>;
};

const unchanged = new Map<unknown, object>(Object.entries(UNCHANGED));

/** A copy of the object for the wire: with all its fields, and with inner lists cut to the first few entries. */
export function show(object: object): Record<string, unknown> {
  const copy = whole({ ...object });
  for (const [name, value] of Object.entries(copy)) {
    if (!isList(value)) continue;
    const { data } = value;
    copy[name] = { ...value, data: data.slice(0, INLINE_LIMIT), has_more: data.length > INLINE_LIMIT };
  }
  return copy;
}

/** A copy with the fields that the sandbox does not keep, of the object and of those inside it. */
function whole(object: Record<string, unknown>): Record<string, unknown> {
  const { object: kind, quantity, unit_amount } = object;
  const own = Object.entries(object).map(([name, value]) => [name, inside(value)]);
  return {
    ...structuredClone(unchanged.get(kind)),
    ...Object.fromEntries(own),
    ...(kind === "price" ? { unit_amount_decimal: decimal(unit_amount) } : {}),
    ...(kind === "line_item" || kind === "invoiceitem" ? { quantity_decimal: decimal(quantity) } : {}),
  };
}

function inside(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inside);
  return isRecord(value) ? whole(value) : value;
}

/** Stripe's decimals are text on the wire. */
function decimal(number: unknown): string | null {
  return typeof number === "number" ? String(number) : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is List<unknown> {
  return isRecord(value) && value["object"] === "list" && Array.isArray(value["data"]);
}
