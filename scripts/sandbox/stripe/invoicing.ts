import { changeBalance } from "./customer-balance.ts";
import { currentDiscounts, reductionOf, useUp } from "./discounts.ts";
import type { Account } from "./account.ts";
import { invalidRequest } from "./errors.ts";
import { takePending } from "./invoice-items.ts";
import { priceLines, totalsOf } from "./invoice-amounts.ts";
import { type Customer, type Invoice, listOf, type Subscription } from "./objects.ts";
import { cancelPayment, charge, intentOf, markPaid, openPayment, receive } from "./settle.ts";
import type { NewLine } from "./state.ts";

type BillingReason =
  | "automatic_pending_invoice_item_invoice"
  | "manual"
  | "subscription_create"
  | "subscription_cycle"
  | "subscription_update";

/** Three days: Stripe's first retry of a failed payment, about. */
const RETRY_SECONDS = 3 * 86_400;

/**
 * A draft invoice of the subscription, or of a customer alone. It takes in the pending invoice items that are for it.
 * Sends `invoice.created`.
 */
export function draftInvoice(
  { state, events }: Account,
  owner: Subscription | Customer,
  billingReason: BillingReason,
  ownLines: NewLine[],
): Invoice {
  const base = state.fresh("invoice", "in_1", 23);
  const { id, created: now } = base;
  const lines = [...takePending(state, owner, id), ...ownLines];
  const subscription = owner.object === "subscription" ? owner : null;
  const currency = owner.currency ?? "usd";
  const customer = owner.object === "subscription" ? owner.customer : owner.id;
  const discounts = subscription ? currentDiscounts(state, subscription) : [];
  const reductions = discounts.map((discount) => reductionOf(state, discount));
  const priced = priceLines(
    lines.map((line) => ({ ...line, discountable: line.discountable ?? true })),
    reductions,
    subscription?.default_tax_rates ?? [],
  );
  const { discount_amounts: total_discount_amounts, ...totals } = totalsOf(priced);
  const { total } = totals;
  const balance = state.customers.get(customer)?.balance ?? 0;
  const invoice = state.invoices.add({
    ...base,
    ...dueOf(total, balance),
    amount_overpaid: 0,
    amount_paid: 0,
    amount_paid_off_stripe: 0,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    billing_reason: billingReason,
    collection_method: subscription?.collection_method ?? "charge_automatically",
    currency,
    customer,
    discounts: discounts.map((discount) => discount.id),
    ending_balance: null,
    next_payment_attempt: null,
    number: null,
    parent: subscription && {
      type: "subscription_details",
      quote_details: null,
      subscription_details: { subscription: subscription.id, metadata: { ...subscription.metadata } },
    },
    period_start: now,
    period_end: now,
    starting_balance: balance,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    status: "draft",
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    ...totals,
    total_discount_amounts,
    lines: listOf(
      `/v1/invoices/${id}/lines`,
      priced.map((line) => ({
        id: state.newId("il_1", 23),
        object: "line_item",
        currency,
        description: null,
        discounts: [],
        invoice: id,
        livemode: state.livemode,
        metadata: {},
        subtotal: line.amount,
        ...line,
      })),
    ),
  });
  if (subscription) subscription.latest_invoice = id;
  events.emit("invoice.created", invoice);
  return invoice;
}

/**
 * Draft → open. The customer's balance is taken in first: a credit pays a part or all of it, a debt comes on top. What is
 * due then gets its default payment.
 */
export function finalizeInvoice(account: Account, invoice: Invoice): void {
  const { state, events } = account;
  const subscription = state.subscriptions.get(invoice.parent?.subscription_details.subscription ?? "");
  if (subscription) useUp(state, subscription);
  const balance = state.customers.get(invoice.customer)?.balance ?? 0;
  Object.assign(invoice, dueOf(invoice.total, balance), {
    starting_balance: balance,
    ending_balance: Math.min(0, invoice.total + balance),
    status: "open",
    number: state.newId("CK", 6).toUpperCase() + `-${String(state.invoices.size).padStart(4, "0")}`,
  });
  invoice.status_transitions.finalized_at = state.nowSeconds();
  changeBalance(account, invoice.customer, { ...appliedTo(invoice), type: "applied_to_invoice" });
  if (invoice.amount_due > 0) openPayment(state, invoice, { amount: invoice.amount_due, isDefault: true });
  events.emit("invoice.finalized", invoice);
}

function dueOf(total: number, balance: number): { amount_due: number; amount_remaining: number } {
  const due = Math.max(0, total + balance);
  return { amount_due: due, amount_remaining: due };
}

/** What the invoice took from the customer's balance (above 0), or gave to it. */
function appliedTo({ id, starting_balance, ending_balance }: Invoice): { amount: number; invoice: string } {
  return { amount: (ending_balance ?? starting_balance) - starting_balance, invoice: id };
}

/**
 * Charges what remains of an open invoice, or of one that was given up as uncollectible. A failure leaves it open, to be
 * tried again unless it was the last try.
 */
export function attemptPayment(account: Account, invoice: Invoice, succeeds: boolean, isLast = false): void {
  const { state, events } = account;
  if (invoice.status !== "open" && invoice.status !== "uncollectible") {
    throw invalidRequest("Only an open invoice can be paid.", { code: "invoice_not_editable" });
  }
  invoice.attempted = true;
  invoice.attempt_count += 1;
  for (const payment of state.paymentsOf(invoice.id)) {
    const intent = intentOf(state, payment);
    if (!payment.is_default || payment.status !== "open" || !intent) continue;
    charge(account, intent, succeeds ? "succeeded" : "failed");
    if (succeeds) receive(account, invoice, payment);
  }
  if (!succeeds) {
    invoice.next_payment_attempt = isLast ? null : state.nowSeconds() + RETRY_SECONDS;
    events.emit("invoice.payment_failed", invoice);
  } else if (invoice.amount_due === 0) {
    // Nothing was due: there was no payment to tell of it.
    markPaid(account, invoice);
    events.emit("invoice.payment_succeeded", invoice);
  }
}

/**
 * Open → void or uncollectible, uncollectible → void. Refused while an attached payment is open, and for a void also where
 * one was paid. A void gives back what the invoice took from the customer's balance.
 */
export function closeInvoice(account: Account, invoice: Invoice, status: "void" | "uncollectible"): void {
  const { state, events } = account;
  if (invoice.status !== "open" && !(invoice.status === "uncollectible" && status === "void")) {
    throw invalidRequest("You can only pass in open invoices.", { code: "invoice_not_editable" });
  }
  const payments = state.paymentsOf(invoice.id);
  const inTheWay = status === "void" ? ["open", "paid"] : ["open"];
  if (payments.some((payment) => !payment.is_default && inTheWay.includes(payment.status))) {
    throw invalidRequest(`An invoice with such payments cannot become ${status}.`);
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
  for (const payment of payments) if (payment.status === "open") cancelPayment(account, payment);
  const { amount, invoice: id } = appliedTo(invoice);
  changeBalance(account, invoice.customer, { amount: -amount, type: "unapplied_from_invoice", invoice: id });
  events.emit("invoice.voided", invoice);
}
