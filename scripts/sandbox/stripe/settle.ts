import type { Account } from "./account.ts";
import { changeBalance } from "./customer-balance.ts";
import type { Charge, PaidBy } from "./money-objects.ts";
import type { Invoice, InvoicePayment, PaymentIntent } from "./objects.ts";
import type { StripeState } from "./state.ts";

/** A payment of an invoice that waits for its money, with its payment intent. */
export function openPayment(
  state: StripeState,
  invoice: Invoice,
  { amount, isDefault }: { amount: number; isDefault: boolean },
): InvoicePayment {
  const intent = state.paymentIntents.add({
    ...state.fresh("payment_intent", "pi_3", 23),
    amount,
    amount_received: 0,
    canceled_at: null,
    currency: invoice.currency,
    customer: invoice.customer,
    latest_charge: null,
    payment_method: "pm_card_on_file",
    status: "requires_confirmation",
  });
  return addPayment(state, invoice, {
    amount_requested: amount,
    is_default: isDefault,
    payment: { type: "payment_intent", payment_intent: intent.id },
  });
}

export function addPayment(
  state: StripeState,
  invoice: Invoice,
  payment: Pick<InvoicePayment, "amount_requested" | "is_default" | "payment">,
): InvoicePayment {
  return state.invoicePayments.add({
    id: state.newId("inpay_1", 23),
    object: "invoice_payment",
    created: state.nowSeconds(),
    livemode: state.livemode,
    amount_paid: null,
    currency: invoice.currency,
    invoice: invoice.id,
    status: "open",
    status_transitions: { canceled_at: null, paid_at: null },
    ...payment,
  });
}

/** A charge for what the intent asks, with its events. A bank account's is pending at first. */
export function charge(
  { state, events }: Account,
  intent: PaymentIntent,
  status: Charge["status"],
  paidBy: PaidBy = "card",
): Charge {
  const made = state.charges.add({
    ...state.fresh("charge", "ch_3", 23),
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    captured: false,
    currency: intent.currency,
    customer: intent.customer,
    disputed: false,
    failure_code: null,
    paid: false,
    payment_intent: intent.id,
    payment_method: "pm_card_on_file",
    payment_method_details: { type: paidBy },
    refunded: false,
    status: "pending",
  });
  intent.latest_charge = made.id;
  if (status !== "pending") return endCharge({ state, events }, made, intent, status === "succeeded");
  intent.status = "processing";
  events.emit("charge.pending", made);
  events.emit("payment_intent.processing", intent);
  return made;
}

/** The answer of the card, or of the bank. */
export function endCharge(
  { events }: Account,
  made: Charge,
  intent: PaymentIntent,
  succeeds: boolean,
): Charge {
  Object.assign(made, {
    amount_captured: succeeds ? made.amount : 0,
    captured: succeeds,
    failure_code: succeeds
      ? null
      : made.payment_method_details.type === "card"
      ? "card_declined"
      : "insufficient_funds",
    paid: succeeds,
    status: succeeds ? "succeeded" : "failed",
  });
  intent.status = succeeds ? "succeeded" : "requires_payment_method";
  intent.amount_received = succeeds ? intent.amount : 0;
  events.emit(succeeds ? "charge.succeeded" : "charge.failed", made);
  events.emit(succeeds ? "payment_intent.succeeded" : "payment_intent.payment_failed", intent);
  return made;
}

/**
 * The payment's money counts for its invoice, which is paid when nothing remains. What is too much is credited to the
 * customer's balance: it shows in `amount_overpaid`, not in `amount_paid`.
 */
export function receive(account: Account, invoice: Invoice, payment: InvoicePayment): void {
  const { state, events } = account;
  const amount = payment.amount_requested;
  payment.status = "paid";
  payment.amount_paid = amount;
  payment.status_transitions.paid_at = state.nowSeconds();
  const counted = Math.min(amount, invoice.amount_remaining);
  const excess = amount - counted;
  invoice.amount_paid += counted;
  invoice.amount_remaining -= counted;
  invoice.amount_overpaid += excess;
  if (payment.payment.type === "payment_record") invoice.amount_paid_off_stripe += counted;
  events.emit("invoice_payment.paid", payment);
  changeBalance(account, invoice.customer, {
    amount: -excess,
    type: "invoice_overpaid",
    invoice: invoice.id,
  });
  followRemaining(account, invoice);
  if (invoice.amount_remaining > 0 || invoice.status === "paid") return;
  markPaid(account, invoice);
  events.emit("invoice.payment_succeeded", invoice);
  if (invoice.amount_overpaid > 0) events.emit("invoice.overpaid", invoice);
}

/** Sends `invoice.paid` alone: `invoice.payment_succeeded` is for a payment that was tried. */
export function markPaid({ state, events }: Account, invoice: Invoice): void {
  invoice.status = "paid";
  invoice.next_payment_attempt = null;
  invoice.status_transitions.paid_at = state.nowSeconds();
  events.emit("invoice.paid", invoice);
}

/** The default payment asks for what remains. It is canceled when nothing does. */
export function followRemaining(account: Account, invoice: Invoice): void {
  const { state } = account;
  for (const payment of state.paymentsOf(invoice.id)) {
    if (!payment.is_default || payment.status !== "open") continue;
    if (invoice.amount_remaining === 0) {
      cancelPayment(account, payment);
      continue;
    }
    payment.amount_requested = invoice.amount_remaining;
    const intent = intentOf(state, payment);
    if (intent) intent.amount = invoice.amount_remaining;
  }
}

export function cancelPayment({ state, events }: Account, payment: InvoicePayment): void {
  const now = state.nowSeconds();
  payment.status = "canceled";
  payment.status_transitions.canceled_at = now;
  const intent = intentOf(state, payment);
  if (!intent) return;
  Object.assign(intent, { status: "canceled", canceled_at: now });
  events.emit("payment_intent.canceled", intent);
}

export function intentOf(state: StripeState, { payment }: InvoicePayment): PaymentIntent | undefined {
  return state.paymentIntents.get(String(payment.payment_intent));
}
