import { randomId, type SandboxDeps } from "../server.ts";
import type {
  Charge,
  CheckoutSession,
  CreditNote,
  Customer,
  DeletedCustomer,
  Dispute,
  Invoice,
  InvoiceLine,
  InvoicePayment,
  PaymentIntent,
  PaymentMethod,
  Price,
  Refund,
  StripeEvent,
  StripeObject,
  Subscription,
} from "./objects.ts";
import { Shelf } from "./shelf.ts";

/** What the sandbox's Stripe knows. Everything is in the order of creation. */
export class StripeState {
  readonly customers = new Shelf<Customer>();
  /** What is left of them. They are listed no more. */
  readonly deletedCustomers = new Map<string, DeletedCustomer>();
  readonly paymentMethods = new Shelf<PaymentMethod>(({ customer }) => customer);
  /** Payment methods that no charge succeeds on. */
  readonly declining = new Set<string>();
  readonly prices = new Shelf<Price>();
  readonly subscriptions = new Shelf<Subscription>(({ customer }) => customer);
  readonly checkoutSessions = new Shelf<CheckoutSession>();
  readonly invoices = new Shelf<Invoice>();
  readonly invoicePayments = new Shelf<InvoicePayment>(({ invoice }) => invoice);
  readonly paymentIntents = new Shelf<PaymentIntent>();
  readonly charges = new Shelf<Charge>();
  readonly refunds = new Shelf<Refund>();
  readonly disputes = new Shelf<Dispute>();
  readonly creditNotes = new Shelf<CreditNote>();
  readonly events = new Shelf<StripeEvent>();
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
    return this.customers.get(id) ?? this.deletedCustomers.get(id) ?? this.paymentMethods.get(id) ??
      this.prices.get(id) ?? this.subscriptions.get(id) ?? this.checkoutSessions.get(id) ??
      this.invoices.get(id) ?? this.invoicePayments.get(id) ?? this.paymentIntents.get(id) ??
      this.charges.get(id) ?? this.refunds.get(id) ?? this.disputes.get(id) ?? this.creditNotes.get(id);
  }

  paymentsOf(invoiceId: string): InvoicePayment[] {
    return [...this.invoicePayments.group(invoiceId).values()];
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
