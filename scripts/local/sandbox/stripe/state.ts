import { randomId, type SandboxDeps } from "../server.ts";
import type {
  Charge,
  CreditNote,
  Customer,
  Dispute,
  Invoice,
  InvoiceLine,
  InvoicePayment,
  PaymentIntent,
  Price,
  Refund,
  StripeEvent,
  StripeObject,
  Subscription,
} from "./objects.ts";

/** What the sandbox's Stripe knows. Maps are in the order of creation. */
export class StripeState {
  readonly customers = new Map<string, Customer>();
  readonly prices = new Map<string, Price>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly invoices = new Map<string, Invoice>();
  readonly invoicePayments = new Map<string, InvoicePayment>();
  readonly paymentIntents = new Map<string, PaymentIntent>();
  readonly charges = new Map<string, Charge>();
  readonly refunds = new Map<string, Refund>();
  readonly disputes = new Map<string, Dispute>();
  readonly creditNotes = new Map<string, CreditNote>();
  readonly events = new Map<string, StripeEvent>();
  /** Lines that the next invoice of a subscription takes along, by subscription. */
  readonly pendingLines = new Map<string, NewLine[]>();
  readonly #deps: Pick<SandboxDeps, "now" | "random">;

  constructor(deps: Pick<SandboxDeps, "now" | "random">) {
    this.#deps = deps;
  }

  /** Stripe counts in whole seconds. */
  nowSeconds(): number {
    return Math.floor(this.#deps.now().getTime() / 1000);
  }

  /** An id in Stripe's manner, e.g. `newId("sub_1", 23)`. */
  newId(prefix: string, length: number): string {
    return randomId(this.#deps.random, prefix, length);
  }

  /** Any object that `expand` can put in the place of its id. */
  find(id: string): StripeObject | undefined {
    return this.customers.get(id) ?? this.prices.get(id) ?? this.subscriptions.get(id) ??
      this.invoices.get(id) ?? this.invoicePayments.get(id) ?? this.paymentIntents.get(id) ??
      this.charges.get(id) ?? this.refunds.get(id) ?? this.disputes.get(id) ?? this.creditNotes.get(id);
  }

  paymentsOf(invoiceId: string): InvoicePayment[] {
    return [...this.invoicePayments.values()].filter((payment) => payment.invoice === invoiceId);
  }

  /** The charge that paid the invoice (or failed to, last); null for a $0 invoice. */
  invoiceChargeId(invoiceId: string): string | null {
    for (const { payment } of this.paymentsOf(invoiceId)) {
      if (typeof payment.charge === "string") return payment.charge;
      if (typeof payment.payment_intent !== "string") continue;
      return this.paymentIntents.get(payment.payment_intent)?.latest_charge ?? null;
    }
    return null;
  }
}

/** A line before its invoice exists. */
export type NewLine = Pick<
  InvoiceLine,
  "amount" | "quantity" | "period" | "parent" | "pricing" | "subscription"
>;
