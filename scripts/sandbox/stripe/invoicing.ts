import type { EventLog } from "./events.ts";
import { invalidRequest } from "./errors.ts";
import type { Charge } from "./money-objects.ts";
import { type Invoice, listOf, type Subscription } from "./objects.ts";
import type { NewLine, StripeState } from "./state.ts";

/** An account at Stripe: its objects and its log of events. */
export interface Account {
  state: StripeState;
  events: EventLog;
}

/** Three days: Stripe's first retry of a failed payment, about. */
const RETRY_SECONDS = 3 * 86_400;

/** A draft invoice of the subscription. Sends `invoice.created`. */
export function draftInvoice(
  { state, events }: Account,
  subscription: Subscription,
  billingReason: "subscription_create" | "subscription_cycle" | "subscription_update",
  lines: NewLine[],
): Invoice {
  const base = state.fresh("invoice", "in_1", 23);
  const { id, created: now } = base;
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  const invoice = state.invoices.add({
    ...base,
    amount_due: total,
    amount_paid: 0,
    amount_remaining: total,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    billing_reason: billingReason,
    collection_method: "charge_automatically",
    currency: subscription.currency,
    customer: subscription.customer,
    next_payment_attempt: null,
    number: null,
    parent: {
      type: "subscription_details",
      quote_details: null,
      subscription_details: { subscription: subscription.id, metadata: { ...subscription.metadata } },
    },
    period_start: now,
    period_end: now,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    status: "draft",
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: total,
    total,
    lines: listOf(
      `/v1/invoices/${id}/lines`,
      lines.map((line) => ({
        id: state.newId("il_1", 23),
        object: "line_item",
        currency: subscription.currency,
        description: null,
        discountable: true,
        invoice: id,
        livemode: false,
        metadata: {},
        subtotal: line.amount,
        ...line,
      })),
    ),
  });
  subscription.latest_invoice = id;
  events.emit("invoice.created", invoice);
  return invoice;
}

/** Draft → open, with a payment intent for the amount due. */
export function finalizeInvoice({ state, events }: Account, invoice: Invoice): void {
  const now = state.nowSeconds();
  invoice.status = "open";
  invoice.number = state.newId("CK", 6).toUpperCase() + `-${String(state.invoices.size).padStart(4, "0")}`;
  invoice.status_transitions.finalized_at = now;
  if (invoice.amount_due > 0) {
    const intent = state.paymentIntents.add({
      ...state.fresh("payment_intent", "pi_3", 23),
      amount: invoice.amount_due,
      amount_received: 0,
      canceled_at: null,
      currency: invoice.currency,
      customer: invoice.customer,
      latest_charge: null,
      payment_method: "pm_card_on_file",
      status: "requires_confirmation",
    });
    state.invoicePayments.add({
      id: state.newId("inpay_1", 23),
      object: "invoice_payment",
      created: now,
      livemode: false,
      amount_paid: null,
      amount_requested: invoice.amount_due,
      currency: invoice.currency,
      invoice: invoice.id,
      is_default: true,
      payment: { type: "payment_intent", payment_intent: intent.id },
      status: "open",
      status_transitions: { canceled_at: null, paid_at: null },
    });
  }
  events.emit("invoice.finalized", invoice);
}

/** Charges an open invoice. A failure leaves it open, to be tried again unless it was the last try. */
export function attemptPayment(
  { state, events }: Account,
  invoice: Invoice,
  succeeds: boolean,
  isLast = false,
): void {
  if (invoice.status !== "open") {
    throw invalidRequest("Only an open invoice can be paid.", { code: "invoice_not_editable" });
  }
  const now = state.nowSeconds();
  invoice.attempted = true;
  invoice.attempt_count += 1;
  for (const payment of state.paymentsOf(invoice.id)) {
    const intent = state.paymentIntents.get(String(payment.payment.payment_intent));
    if (!intent) continue;
    const charge = newCharge(state, invoice, intent.id, succeeds);
    intent.latest_charge = charge.id;
    intent.status = succeeds ? "succeeded" : "requires_payment_method";
    intent.amount_received = succeeds ? intent.amount : 0;
    events.emit(succeeds ? "charge.succeeded" : "charge.failed", charge);
    events.emit(succeeds ? "payment_intent.succeeded" : "payment_intent.payment_failed", intent);
    if (!succeeds) continue;
    payment.status = "paid";
    payment.amount_paid = payment.amount_requested;
    payment.status_transitions.paid_at = now;
    events.emit("invoice_payment.paid", payment);
  }
  if (!succeeds) {
    invoice.next_payment_attempt = isLast ? null : now + RETRY_SECONDS;
    events.emit("invoice.payment_failed", invoice);
    return;
  }
  invoice.status = "paid";
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
  invoice.next_payment_attempt = null;
  invoice.status_transitions.paid_at = now;
  events.emit("invoice.paid", invoice);
  events.emit("invoice.payment_succeeded", invoice);
}

/** Open → void or uncollectible. */
export function closeInvoice(
  { state, events }: Account,
  invoice: Invoice,
  status: "void" | "uncollectible",
): void {
  if (invoice.status !== "open") {
    throw invalidRequest("You can only pass in open invoices.", { code: "invoice_not_editable" });
  }
  const now = state.nowSeconds();
  invoice.status = status;
  invoice.next_payment_attempt = null;
  if (status === "uncollectible") {
    invoice.status_transitions.marked_uncollectible_at = now;
    events.emit("invoice.marked_uncollectible", invoice);
    return;
  }
  invoice.status_transitions.voided_at = now;
  for (const payment of state.paymentsOf(invoice.id)) {
    payment.status = "canceled";
    payment.status_transitions.canceled_at = now;
    const intent = state.paymentIntents.get(String(payment.payment.payment_intent));
    if (intent) Object.assign(intent, { status: "canceled", canceled_at: now });
  }
  events.emit("invoice.voided", invoice);
}

function newCharge(state: StripeState, invoice: Invoice, paymentIntent: string, succeeds: boolean): Charge {
  return state.charges.add({
    ...state.fresh("charge", "ch_3", 23),
    amount: invoice.amount_due,
    amount_captured: succeeds ? invoice.amount_due : 0,
    amount_refunded: 0,
    captured: succeeds,
    currency: invoice.currency,
    customer: invoice.customer,
    disputed: false,
    failure_code: succeeds ? null : "card_declined",
    paid: succeeds,
    payment_intent: paymentIntent,
    payment_method: "pm_card_on_file",
    refunded: false,
    status: succeeds ? "succeeded" : "failed",
  });
}
