import type { Account } from "./account.ts";
import { invalidRequest } from "./errors.ts";
import type { Charge } from "./money-objects.ts";
import type { Invoice, InvoicePayment } from "./objects.ts";
import {
  addPayment,
  cancelPayment,
  charge,
  endCharge,
  intentOf,
  markPaid,
  openPayment,
  receive,
} from "./settle.ts";

/**
 * A payment of a part, attached by the merchant. It waits for `completePayment`. Refused, as at Stripe, for the invoice
 * of a subscription that is charged automatically.
 */
export function attachPayment({ state }: Account, invoice: Invoice, amount: number): InvoicePayment {
  mustBePayable(invoice);
  if (invoice.collection_method === "charge_automatically") {
    throw invalidRequest(
      "Partial payments are not supported for subscription invoices charged automatically.",
    );
  }
  if (amount <= 0 || amount > invoice.amount_remaining) {
    throw invalidRequest("The amount is greater than the amount remaining on the invoice.");
  }
  return openPayment(state, invoice, { amount, isDefault: false });
}

/** The customer pays an attached payment, even when the invoice was paid meanwhile: a double payment. */
export function completePayment(account: Account, payment: InvoicePayment, succeeds: boolean): Invoice {
  const { state } = account;
  const invoice = state.invoices.get(payment.invoice);
  const intent = intentOf(state, payment);
  if (!invoice || !intent || payment.status !== "open") throw invalidRequest("The payment is not open.");
  charge(account, intent, succeeds ? "succeeded" : "failed");
  if (succeeds) receive(account, invoice, payment);
  return invoice;
}

/** The merchant was paid by check or in cash, and says so. Sends `invoice.paid`, and nothing of a payment. */
export function payOutOfBand(account: Account, invoice: Invoice): void {
  mustBePayable(invoice);
  invoice.amount_paid_off_stripe += invoice.amount_remaining;
  invoice.amount_paid += invoice.amount_remaining;
  invoice.amount_remaining = 0;
  for (const payment of account.state.paymentsOf(invoice.id)) {
    if (payment.status === "open") cancelPayment(account, payment);
  }
  markPaid(account, invoice);
}

/** Another processor took the money (all that remains by default), and the merchant attached its record. */
export function payByRecord(account: Account, invoice: Invoice, amount = invoice.amount_remaining): void {
  mustBePayable(invoice);
  const { state } = account;
  receive(
    account,
    invoice,
    addPayment(state, invoice, {
      amount_requested: amount,
      is_default: false,
      payment: { type: "payment_record", payment_record: state.newId("pr_1", 23) },
    }),
  );
}

/** A debit from the customer's bank account begins: for some days nobody knows whether it goes through. */
export function debit(account: Account, invoice: Invoice): Charge {
  mustBePayable(invoice);
  const payment = account.state.paymentsOf(invoice.id).find((one) => one.is_default && one.status === "open");
  const intent = payment && intentOf(account.state, payment);
  if (!intent || intent.status === "processing") throw invalidRequest("The invoice has nothing to debit.");
  invoice.attempted = true;
  invoice.attempt_count += 1;
  return charge(account, intent, "pending", "us_bank_account");
}

/** The bank's answer to a debit. */
export function settleDebit(account: Account, made: Charge, succeeds: boolean): Charge {
  const { state, events } = account;
  const intent = state.paymentIntents.get(made.payment_intent);
  const payment = [...state.invoicePayments.values()].find((one) =>
    one.payment.payment_intent === intent?.id
  );
  const invoice = state.invoices.get(payment?.invoice ?? "");
  if (made.status !== "pending" || !intent || !payment || !invoice) {
    throw invalidRequest("This charge is not pending.");
  }
  endCharge(account, made, intent, succeeds);
  if (succeeds) receive(account, invoice, payment);
  else events.emit("invoice.payment_failed", invoice);
  return made;
}

function mustBePayable({ status }: Invoice): void {
  if (status !== "open" && status !== "uncollectible") {
    throw invalidRequest("Only an open invoice can be paid.", { code: "invoice_not_editable" });
  }
}
