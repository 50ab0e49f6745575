import { randomId } from "../random.ts";
import type { SandboxDeps } from "../server.ts";
import { Shelf } from "../shelf.ts";
import type { CheckoutLine, CheckoutSession } from "./checkout-objects.ts";
import type {
  BalanceTransaction,
  Charge,
  Coupon,
  CreditNote,
  CustomerBalanceTransaction,
  Discount,
  Dispute,
  Refund,
} from "./money-objects.ts";
import type {
  Customer,
  DeletedCustomer,
  Invoice,
  InvoiceItem,
  InvoiceLine,
  InvoicePayment,
  PaymentIntent,
  PaymentMethod,
  Price,
  StripeEvent,
  Subscription,
  TaxRate,
} from "./objects.ts";
import type { SubscriptionSchedule } from "./schedule-objects.ts";

/** The objects of the sandbox's Stripe, in the order of creation. */
export class StripeState {
  readonly customers = new Shelf<Customer>();
  /** The stubs of deleted customers, which no list shows. */
  readonly deletedCustomers = new Map<string, DeletedCustomer>();
  readonly paymentMethods = new Shelf<PaymentMethod>(({ customer }) => customer);
  /** The ids of payment methods on which every charge fails. */
  readonly declining = new Set<string>();
  readonly prices = new Shelf<Price>();
  readonly subscriptions = new Shelf<Subscription>(({ customer }) => customer);
  readonly schedules = new Shelf<SubscriptionSchedule>(({ customer }) => customer);
  readonly checkoutSessions = new Shelf<CheckoutSession>();
  /** The positions of each session, which it shows only where they are asked for. */
  readonly checkoutLines = new Map<string, CheckoutLine[]>();
  readonly invoices = new Shelf<Invoice>(({ customer }) => customer);
  readonly invoiceItems = new Shelf<InvoiceItem>(({ customer }) => customer);
  readonly invoicePayments = new Shelf<InvoicePayment>(({ invoice }) => invoice);
  readonly paymentIntents = new Shelf<PaymentIntent>();
  readonly charges = new Shelf<Charge>();
  readonly refunds = new Shelf<Refund>(({ charge }) => charge);
  readonly disputes = new Shelf<Dispute>(({ charge }) => charge);
  readonly customerBalanceTransactions = new Shelf<CustomerBalanceTransaction>(({ customer }) => customer);
  readonly coupons = new Shelf<Coupon>();
  readonly discounts = new Shelf<Discount>();
  readonly taxRates = new Shelf<TaxRate>();
  readonly balanceTransactions = new Shelf<BalanceTransaction>();
  readonly creditNotes = new Shelf<CreditNote>(({ invoice }) => invoice);
  readonly events = new Shelf<StripeEvent>();
  /** The credits for each billed span of time, by the invoice item or the line that billed it. */
  readonly credits = new Map<string, InvoiceItem[]>();
  /** The tiers of prices without a unit amount, by price. */
  readonly tiers = new Map<string, Tier[]>();
  readonly #deps: Pick<SandboxDeps, "now" | "random">;

  /** Of every object and event: false in Stripe's test mode. */
  readonly livemode: boolean;

  constructor(deps: Pick<SandboxDeps, "now" | "random">, { livemode = false } = {}) {
    this.#deps = deps;
    this.livemode = livemode;
  }

  /** Stripe counts in whole seconds. */
  nowSeconds(): number {
    return Math.floor(this.#deps.now().getTime() / 1000);
  }

  /** An id in Stripe's manner, e.g. `newId("sub_1", 23)`. */
  newId(prefix: string, length: number): string {
    return randomId(this.#deps.random, prefix, length);
  }

  /** The fields that most objects begin with. The id has `length` characters behind `prefix`. */
  fresh<Kind extends string>(object: Kind, prefix: string, length: number) {
    const id = this.newId(prefix, length);
    return { id, object, created: this.nowSeconds(), livemode: this.livemode, metadata: {} };
  }

  /** Any object that can replace its id in an expanded answer. */
  find(id: string): object | undefined {
    return this.customers.get(id) ?? this.deletedCustomers.get(id) ?? this.paymentMethods.get(id) ??
      this.prices.get(id) ?? this.subscriptions.get(id) ?? this.checkoutSessions.get(id) ??
      this.invoiceItems.get(id) ?? this.schedules.get(id) ?? this.invoices.get(id) ??
      this.invoicePayments.get(id) ?? this.paymentIntents.get(id) ??
      this.charges.get(id) ?? this.refunds.get(id) ?? this.disputes.get(id) ?? this.creditNotes.get(id) ??
      this.balanceTransactions.get(id) ?? this.discounts.get(id) ?? this.coupons.get(id);
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
export type NewLine =
  & Pick<InvoiceLine, "amount" | "quantity" | "period" | "parent" | "pricing" | "subscription">
  & Partial<Pick<InvoiceLine, "description" | "discountable">>;

/** A price's tier: its `flat` amount, and `unit` for each unit of the whole quantity, in cents. */
export interface Tier {
  /** The last quantity of the tier; null is without end. */
  upTo: number | null;
  unit: number;
  flat: number;
}
