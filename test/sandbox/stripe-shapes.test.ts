import type Stripe from "stripe";
import { describe, expect, test } from "vitest";
import { show } from "../../scripts/sandbox/stripe/wire.ts";
import { openExample } from "./stripe-examples/example.ts";
import { seconds, subscriber } from "./stripe-examples/subscriber.ts";

/** The fields that an object of the SDK's type always has. */
type Always<T> = { [Key in keyof T]-?: Record<never, never> extends Pick<T, Key> ? never : Key }[keyof T];

/** Each kind's fields. The compiler refuses a list with a field too few or too many; `plan` is the older form of `price`. */
const ALWAYS: {
  subscription: Record<Always<Stripe.Subscription>, true>;
  subscription_item: Record<Exclude<Always<Stripe.SubscriptionItem>, "plan">, true>;
  subscription_schedule: Record<Always<Stripe.SubscriptionSchedule>, true>;
  invoiceitem: Record<Always<Stripe.InvoiceItem>, true>;
  line_item: Record<Always<Stripe.InvoiceLineItem>, true>;
  invoice: Record<Always<Stripe.Invoice>, true>;
  price: Record<Always<Stripe.Price>, true>;
} = {
  subscription: {
    id: true,
    object: true,
    application: true,
    application_fee_percent: true,
    automatic_tax: true,
    billing_cycle_anchor: true,
    billing_cycle_anchor_config: true,
    billing_mode: true,
    billing_schedules: true,
    billing_thresholds: true,
    cancel_at: true,
    cancel_at_period_end: true,
    canceled_at: true,
    cancellation_details: true,
    collection_method: true,
    created: true,
    currency: true,
    customer: true,
    customer_account: true,
    days_until_due: true,
    default_payment_method: true,
    default_source: true,
    description: true,
    discounts: true,
    ended_at: true,
    invoice_settings: true,
    items: true,
    latest_invoice: true,
    livemode: true,
    managed_payments: true,
    metadata: true,
    next_pending_invoice_item_invoice: true,
    on_behalf_of: true,
    pause_collection: true,
    payment_settings: true,
    pending_invoice_item_interval: true,
    pending_setup_intent: true,
    pending_update: true,
    schedule: true,
    start_date: true,
    status: true,
    test_clock: true,
    transfer_data: true,
    trial_end: true,
    trial_settings: true,
    trial_start: true,
  },
  subscription_item: {
    id: true,
    object: true,
    billing_thresholds: true,
    created: true,
    current_period_end: true,
    current_period_start: true,
    current_trial: true,
    discounts: true,
    metadata: true,
    price: true,
    subscription: true,
    tax_rates: true,
  },
  subscription_schedule: {
    id: true,
    object: true,
    application: true,
    billing_mode: true,
    canceled_at: true,
    completed_at: true,
    created: true,
    current_phase: true,
    customer: true,
    customer_account: true,
    default_settings: true,
    end_behavior: true,
    livemode: true,
    metadata: true,
    pause_schedules: true,
    phases: true,
    released_at: true,
    released_subscription: true,
    status: true,
    subscription: true,
    test_clock: true,
  },
  invoiceitem: {
    id: true,
    object: true,
    amount: true,
    currency: true,
    customer: true,
    customer_account: true,
    date: true,
    description: true,
    discountable: true,
    discounts: true,
    invoice: true,
    livemode: true,
    metadata: true,
    parent: true,
    period: true,
    pricing: true,
    proration: true,
    quantity: true,
    quantity_decimal: true,
    tax_rates: true,
    test_clock: true,
  },
  line_item: {
    id: true,
    object: true,
    amount: true,
    currency: true,
    description: true,
    discount_amounts: true,
    discountable: true,
    discounts: true,
    invoice: true,
    livemode: true,
    metadata: true,
    parent: true,
    period: true,
    pretax_credit_amounts: true,
    pricing: true,
    quantity: true,
    quantity_decimal: true,
    subscription: true,
    subtotal: true,
    taxes: true,
  },
  invoice: {
    id: true,
    object: true,
    account_country: true,
    account_name: true,
    account_tax_ids: true,
    amount_due: true,
    amount_overpaid: true,
    amount_paid: true,
    amount_remaining: true,
    amount_shipping: true,
    application: true,
    attempt_count: true,
    attempted: true,
    automatic_tax: true,
    automatically_finalizes_at: true,
    billing_reason: true,
    collection_method: true,
    created: true,
    currency: true,
    custom_fields: true,
    customer: true,
    customer_account: true,
    customer_address: true,
    customer_email: true,
    customer_name: true,
    customer_phone: true,
    customer_shipping: true,
    customer_tax_exempt: true,
    default_payment_method: true,
    default_source: true,
    default_tax_rates: true,
    description: true,
    discounts: true,
    due_date: true,
    effective_at: true,
    ending_balance: true,
    footer: true,
    from_invoice: true,
    issuer: true,
    last_finalization_error: true,
    latest_revision: true,
    lines: true,
    livemode: true,
    metadata: true,
    next_payment_attempt: true,
    number: true,
    on_behalf_of: true,
    parent: true,
    payment_settings: true,
    period_end: true,
    period_start: true,
    post_payment_credit_notes_amount: true,
    pre_payment_credit_notes_amount: true,
    receipt_number: true,
    rendering: true,
    shipping_cost: true,
    shipping_details: true,
    starting_balance: true,
    statement_descriptor: true,
    status: true,
    status_transitions: true,
    subtotal: true,
    subtotal_excluding_tax: true,
    test_clock: true,
    total: true,
    total_discount_amounts: true,
    total_excluding_tax: true,
    total_pretax_credit_amounts: true,
    total_taxes: true,
    webhooks_delivered_at: true,
  },
  price: {
    id: true,
    object: true,
    active: true,
    billing_scheme: true,
    created: true,
    currency: true,
    custom_unit_amount: true,
    livemode: true,
    lookup_key: true,
    metadata: true,
    nickname: true,
    product: true,
    recurring: true,
    tax_behavior: true,
    tiers_mode: true,
    transform_quantity: true,
    type: true,
    unit_amount: true,
    unit_amount_decimal: true,
  },
};

/** Every object that the events of the acts showed, and every line and item inside one. */
function shown(stripe: ReturnType<typeof openExample>): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === "object" && value !== null) {
      if ("object" in value && "id" in value) found.push(value as Record<string, unknown>);
      Object.values(value).forEach(walk);
    }
  };
  for (const event of stripe.sandbox.state.events.values()) walk(event.data.object);
  return found;
}

describe("an object on the wire", () => {
  test("has every field that the SDK's type has without exception", () => {
    const stripe = openExample();
    const { sandbox, customerId } = stripe;
    const one = subscriber(stripe, "2027-04-01T00:00:00Z", [1000, 2000], {
      items: [{ price: "price_0_1000", quantity: 1 }],
    });
    one.goTo("2027-04-16T00:00:00Z");
    sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_2000", proration: "always_invoice" });
    sandbox.changeQuantity(one.id, one.item(), 3);
    sandbox.failChange(one.id, one.item(), { quantity: 4 });
    sandbox.expirePendingUpdate(one.id);
    sandbox.addInvoiceItem(one.id, 500);
    sandbox.invoiceCustomer(customerId, [{ amount: 700 }]);
    sandbox.prebill(one.id, { until: seconds("2027-06-01T00:00:00Z") });
    sandbox.pause(one.id, { credits: true });
    sandbox.resume(one.id);
    sandbox.setTrialEnd(one.id, seconds("2027-07-01T00:00:00Z"));
    sandbox.endTrial(one.id);
    sandbox.scheduleChanges(one.id, [{ items: [{ price: "price_0_1000", quantity: 1 }] }], "cancel");
    sandbox.cancel(one.id, { prorate: true, invoiceNow: true });
    const kinds = new Set<string>();
    for (const object of shown(stripe)) {
      const kind = String(object["object"]);
      const always = new Map(Object.entries(ALWAYS)).get(kind);
      if (always === undefined) continue;
      kinds.add(kind);
      expect(Object.keys(always).filter((name) => !(name in object)), kind).toEqual([]);
    }
    expect([...kinds].sort()).toEqual(Object.keys(ALWAYS).sort());
  });

  test("shows the first ten entries of a list, each whole", () => {
    const { sandbox, customerId, prices } = openExample();
    const { id } = sandbox.subscribe({
      customerId,
      priceIds: prices(...Array.from({ length: 12 }, (_, n) => 100 + n)).map((price) => ({
        price,
        quantity: 1,
      })),
    });
    const { items } = show(sandbox.state.subscriptions.get(id) ?? {});
    expect(items).toMatchObject({
      has_more: true,
      data: { length: 10, 0: { tax_rates: [], price: { nickname: null } } },
    });
  });
});
