import { mustHave } from "../shelf.ts";
import type { Account } from "./account.ts";
import { afterPayment, update } from "./changes.ts";
import { changeBalance } from "./customer-balance.ts";
import { attemptPayment, closeInvoice } from "./invoicing.ts";
import type { Invoice, StripeEvent } from "./objects.ts";
import * as payments from "./payments.ts";

/** The acts that pay an invoice, or give it up: part of the sandbox's acts. */
export function makePaymentActions(account: Account) {
  const { state, events } = account;
  const invoice = (id: string) => mustHave(state.invoices, id);
  const charge = (id: string) => mustHave(state.charges, id);
  const paid = (one: Invoice) => afterPayment(account, one);
  return {
    /** An open invoice is paid, or one that was given up: by card, out of band, or by another processor. */
    payInvoice(invoiceId: string, by: "card" | "out_of_band" | "payment_record" = "card"): Invoice {
      const one = invoice(invoiceId);
      if (by === "card") attemptPayment(account, one, true);
      else if (by === "out_of_band") payments.payOutOfBand(account, one);
      else payments.payByRecord(account, one);
      return paid(one);
    },
    /** Attaches a payment of a part, which stays open. Not for invoices that are charged automatically. */
    attachPayment: (invoiceId: string, amount: number) =>
      payments.attachPayment(account, invoice(invoiceId), amount),
    /** The customer pays an attached payment, or fails to. */
    completePayment: (paymentId: string, succeeds = true): Invoice =>
      paid(payments.completePayment(account, mustHave(state.invoicePayments, paymentId), succeeds)),
    /** A debit from a bank account begins. Its charge is pending until `settleDebit`. */
    debit: (invoiceId: string) => payments.debit(account, invoice(invoiceId)),
    settleDebit(chargeId: string, succeeds: boolean) {
      const made = payments.settleDebit(account, charge(chargeId), succeeds);
      for (const { payment, invoice: id } of state.invoicePayments.values()) {
        if (payment.payment_intent === made.payment_intent) paid(invoice(id));
      }
      return made;
    },
    /** Stripe cannot charge the customer's method itself, and asks the merchant to. */
    askForPayment: (invoiceId: string): StripeEvent =>
      events.emit("invoice.payment_attempt_required", invoice(invoiceId)),
    /** Open or uncollectible invoices only. */
    voidInvoice(invoiceId: string): Invoice {
      closeInvoice(account, invoice(invoiceId), "void");
      return invoice(invoiceId);
    },
    /** Given up: it can still be paid, or become void. */
    markUncollectible(invoiceId: string): Invoice {
      closeInvoice(account, invoice(invoiceId), "uncollectible");
      return invoice(invoiceId);
    },
    /** Below 0 is a credit, which pays the next invoices; above 0 a debt, which comes on top of one. In cents. */
    adjustBalance: (customerId: string, amount: number) =>
      changeBalance(account, mustHave(state.customers, customerId).id, { amount, type: "adjustment" }),
    /** `send_invoice`: the next invoices are not charged, and take several payments. */
    setCollection: (subscriptionId: string, method: "charge_automatically" | "send_invoice") =>
      update(account, mustHave(state.subscriptions, subscriptionId), { collection_method: method }),
  };
}
