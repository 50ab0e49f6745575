import { mustHave } from "../shelf.ts";
import { type CardState, changeCard } from "./cards.ts";
import { type CheckoutRequest, completeCheckout } from "./checkout.ts";
import {
  createCustomer,
  type CustomerFields,
  deleteCustomer,
  newCustomer,
  updateCustomer,
} from "./customers.ts";
import type { Account } from "./account.ts";
import { makeBillingActions } from "./billing-actions.ts";
import * as changes from "./changes.ts";
import * as endings from "./endings.ts";
import { addInvoiceItem } from "./invoice-items.ts";
import { attemptPayment } from "./invoicing.ts";
import type { Billing } from "./items.ts";
import { makeMoneyActions } from "./money-actions.ts";
import type { Invoice, Metadata, PauseBehavior, StripeEvent } from "./objects.ts";
import { type Pause, pause, resume } from "./pauses.ts";
import { makePaymentActions } from "./payment-actions.ts";
import { makePriceActions } from "./price-actions.ts";
import { scheduleSubscription } from "./schedules.ts";
import * as subscriptions from "./subscriptions.ts";

interface PriceMove extends Billing {
  itemId: string;
  priceId: string;
  /** Default: the quantity stays. */
  quantity?: number;
  /** The short form of `proration`: false is `none`. */
  prorates?: boolean;
}

/**
 * The acts of people and of time at Stripe. Each changes the state and puts Stripe's webhooks into the outbox. Returned
 * objects are the kept ones: they show later changes. An unknown id, or an act that Stripe would refuse, throws.
 */
export function makeActions(account: Account) {
  const { state, events } = account;
  const subscription = (id: string) => mustHave(state.subscriptions, id);
  const customer = (id: string) => mustHave(state.customers, id);
  const invoice = (id: string) => mustHave(state.invoices, id);
  const renewed = (id: string, how: { succeeds?: boolean; usage?: Record<string, number> }): Invoice => {
    const invoice = subscriptions.renew(account, subscription(id), how);
    if (invoice === null) throw new Error(`nothing is due for ${id}: pass its period`);
    return invoice;
  };
  return {
    ...makeBillingActions(account),
    /** Default card: one that can be charged. */
    createCustomer: (fields: CustomerFields & { card?: CardState }) =>
      createCustomer(account, { card: "default", ...fields }),
    updateCustomer: (customerId: string, fields: CustomerFields) =>
      updateCustomer(account, customer(customerId), fields),
    /** Replaces the customer's cards by this one, or by none. */
    changeCard: (customerId: string, card: CardState) => changeCard(account, customer(customerId), card),
    /** Cancels its subscriptions. */
    deleteCustomer: (customerId: string) => deleteCustomer(account, customer(customerId)),
    /** A new customer signs up by Checkout. The session names the customer and the subscription. */
    completeCheckout: (request: CheckoutRequest) => completeCheckout(account, request),
    /**
     * Adds an older customer, with a subscription to `priceId` if given, its first period just begun.
     * No events, no invoices: cheap enough for a hundred thousand.
     */
    importCustomer({ priceId, subscriptionMetadata: metadata = {}, ...fields }: CustomerFields & {
      card?: CardState;
      priceId?: string;
      subscriptionMetadata?: Metadata;
    }) {
      const customer = newCustomer(state, { card: "default", ...fields });
      const subscription = priceId === undefined ? null : subscriptions.newSubscription(account, {
        customerId: customer.id,
        items: [{ price: priceId, quantity: 1 }],
        metadata,
      });
      return { customer, subscription };
    },
    ...makePriceActions(account),
    /** The first invoice is paid at once, unless `paymentBehavior` lets it stay open; `latest_invoice` names it. */
    subscribe: ({ priceIds, ...request }: Omit<subscriptions.SubscribeRequest, "items"> & {
      priceIds: { price: string; quantity: number }[];
    }) => subscriptions.subscribe(account, { ...request, items: priceIds }),
    /** The first charge of an incomplete subscription succeeds after all. */
    completeFirstPayment: (id: string) => changes.completeFirstPayment(account, subscription(id)),
    /** The first charge was not paid in time: `incomplete_expired`, for ever. */
    expireIncomplete: (id: string) => changes.expireIncomplete(account, subscription(id)),
    /** The next period: a paid invoice, unless collection is paused. `usage`: what was used of metered items, by item. */
    renew: (id: string, usage: Record<string, number> = {}): Invoice => renewed(id, { usage }),
    /** The next period with a declined card: the invoice stays open, the subscription is `past_due`. */
    failPayment: (id: string): Invoice => renewed(id, { succeeds: false }),
    /** The next period, which may be billed already: then null, without an invoice. */
    passPeriod: (id: string) => subscriptions.renew(account, subscription(id)),
    /** Another try at an open invoice is declined. After the last one there is no next try. */
    retryPayment(invoiceId: string, { isLast = false } = {}): Invoice {
      attemptPayment(account, invoice(invoiceId), false, isLast);
      return invoice(invoiceId);
    },
    ...makePaymentActions(account),
    /** `invoice.upcoming`, some days before the renewal. Its invoice has no id yet. */
    announceRenewal(id: string): StripeEvent {
      const { customer, items, metadata } = subscription(id);
      const due = Math.min(...items.data.map((item) => item.current_period_end));
      return events.emit("invoice.upcoming", {
        id: null,
        object: "invoice",
        billing_reason: "upcoming",
        created: due,
        customer,
        livemode: state.livemode,
        next_payment_attempt: due,
        parent: {
          type: "subscription_details",
          quote_details: null,
          subscription_details: { subscription: id, metadata },
        },
        status: "draft",
      });
    },
    /** From now on, or from `date`. The time before it is given back and charged, pending by default. */
    changeQuantity: (id: string, itemId: string, quantity: number, billing: Billing = {}) =>
      changes.update(account, subscription(id), {}, { ...billing, items: [{ id: itemId, quantity }] }),
    /** Another price for an item. The same price with `anchor: "now"` begins, and charges, the next period early. */
    changePrice: (id: string, { itemId, priceId, prorates = true, quantity, ...billing }: PriceMove) =>
      changes.update(account, subscription(id), {}, {
        proration: prorates ? "create_prorations" : "none",
        ...billing,
        items: [{ id: itemId, price: priceId, quantity }],
      }),
    addItem: (id: string, item: { price: string; quantity: number }, billing: Billing = {}) =>
      changes.update(account, subscription(id), {}, { ...billing, items: [item] }),
    removeItem: (id: string, itemId: string, billing: Billing = {}) =>
      changes.update(account, subscription(id), {}, { ...billing, items: [{ id: itemId, deleted: true }] }),
    /** One item goes and another comes, in one request: the new one has an id of its own. */
    swapItem: (
      id: string,
      itemId: string,
      item: { price: string; quantity: number },
      billing: Billing = {},
    ) =>
      changes.update(account, subscription(id), {}, {
        ...billing,
        items: [{ id: itemId, deleted: true }, item],
      }),
    /** A change whose charge fails: it waits in `pending_update` until `payInvoice`, or `expirePendingUpdate`. */
    failChange: (id: string, itemId: string, item: { price?: string; quantity?: number }) =>
      changes.update(account, subscription(id), {}, {
        proration: "always_invoice",
        waits: true,
        items: [{ ...item, id: itemId }],
      }),
    expirePendingUpdate: (id: string) => changes.expirePendingUpdate(account, subscription(id)),
    /** A one-off charge (a fee, say), or a credit, on the next invoice of the subscription. */
    addInvoiceItem(id: string, amount: number) {
      const now = state.nowSeconds();
      return addInvoiceItem(account, {
        amount,
        customer: subscription(id).customer,
        parent: { type: "subscription_details", subscription_details: { subscription: id } },
        period: { start: now, end: now },
        pricing: null,
        quantity: 1,
      });
    },
    /** A schedule takes the subscription over. Its one phase is the running period. */
    attachSchedule(id: string) {
      scheduleSubscription(account, subscription(id));
      return subscription(id);
    },
    /** `pause_collection`: the status stays, renewals are not charged. The default voids each invoice. */
    pauseCollection: (id: string, behavior: PauseBehavior = "void", resumesAt: number | null = null) =>
      changes.update(account, subscription(id), { pause_collection: { behavior, resumes_at: resumesAt } }),
    /** By a person, or because `resumes_at` has come. */
    resumeCollection: (id: string) => changes.update(account, subscription(id), { pause_collection: null }),
    /** Status `paused`. Nothing renews until it is resumed; a period that is over by then begins anew, and is charged. */
    pause: (id: string, how: Pause = {}) => pause(account, subscription(id), how),
    resume: (id: string) => resume(account, subscription(id)),
    cancel: (id: string, how: endings.Cancellation = {}) => endings.cancel(account, subscription(id), how),
    /** Sets or clears the mark alone: call `cancel`, or `endDue`, when the period is over. */
    cancelAtPeriodEnd: (id: string, atPeriodEnd = true) =>
      endings.endWithPeriod(account, subscription(id), atPeriodEnd),
    ...makeMoneyActions(account),
  };
}
