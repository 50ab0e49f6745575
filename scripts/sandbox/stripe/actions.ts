import { mustHave } from "../shelf.ts";
import { type CardState, changeCard, type PaymentBehavior } from "./cards.ts";
import { type CheckoutRequest, completeCheckout } from "./checkout.ts";
import {
  createCustomer,
  type CustomerFields,
  deleteCustomer,
  newCustomer,
  updateCustomer,
} from "./customers.ts";
import type { Account } from "./account.ts";
import { attemptPayment } from "./invoicing.ts";
import { addInvoiceItem, changeQuantity, type PriceMove } from "./items.ts";
import { makeMoneyActions } from "./money-actions.ts";
import type { Invoice, Metadata, PauseBehavior, StripeEvent } from "./objects.ts";
import { makePaymentActions } from "./payment-actions.ts";
import { makePriceActions } from "./price-actions.ts";
import * as subscriptions from "./subscriptions.ts";

/**
 * The acts of people and of time at Stripe. Each changes the state and puts Stripe's webhooks into the outbox. Returned
 * objects are the kept ones: they show later changes. An unknown id, or an act that Stripe would refuse, throws.
 */
export function makeActions(account: Account) {
  const { state, events } = account;
  const subscription = (id: string) => mustHave(state.subscriptions, id);
  const customer = (id: string) => mustHave(state.customers, id);
  const invoice = (id: string) => mustHave(state.invoices, id);
  return {
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
    subscribe: ({ priceIds, ...request }: {
      customerId: string;
      priceIds: { price: string; quantity: number }[];
      metadata?: Metadata;
      paymentBehavior?: PaymentBehavior;
      /** Begins with a free trial: status `trialing`, a first invoice of $0. */
      trialDays?: number;
      couponIds?: string[];
      taxRateIds?: string[];
    }) => subscriptions.subscribe(account, { ...request, items: priceIds }),
    /** The first charge of an incomplete subscription succeeds after all. */
    completeFirstPayment: (id: string) => subscriptions.completeFirstPayment(account, subscription(id)),
    /** The first charge was not paid in time: `incomplete_expired`, for ever. */
    expireIncomplete: (id: string) => subscriptions.expireIncomplete(account, subscription(id)),
    /** The next period: a paid invoice, unless collection is paused. */
    renew: (id: string) => subscriptions.renew(account, subscription(id), true),
    /** The next period with a declined card: the invoice stays open, the subscription is `past_due`. */
    failPayment: (id: string) => subscriptions.renew(account, subscription(id), false),
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
    changeQuantity: (id: string, itemId: string, quantity: number) =>
      changeQuantity(account, subscription(id), itemId, quantity),
    /** Another price for an item. The same price with `anchor: "now"` begins, and charges, the next period early. */
    changePrice: (id: string, move: PriceMove) => subscriptions.update(account, subscription(id), {}, move),
    /** A one-off charge on the next invoice. */
    addInvoiceItem: (id: string, amount: number) => addInvoiceItem(account, subscription(id), amount),
    /** A schedule takes the subscription over. The sandbox does not play its phases. */
    attachSchedule: (id: string) =>
      subscriptions.update(account, subscription(id), { schedule: state.newId("sub_sched_1", 23) }),
    /** `pause_collection`: the status stays, renewals are not charged. The default voids each invoice. */
    pauseCollection: (id: string, behavior: PauseBehavior = "void") =>
      subscriptions.update(account, subscription(id), { pause_collection: { behavior, resumes_at: null } }),
    resumeCollection: (id: string) =>
      subscriptions.update(account, subscription(id), { pause_collection: null }),
    /** Status `paused`. Nothing renews until it is resumed; a period that is over by then begins anew, and is charged. */
    pause: (id: string) => subscriptions.pause(account, subscription(id)),
    resume: (id: string) => subscriptions.resume(account, subscription(id)),
    cancel: (id: string) => subscriptions.cancel(account, subscription(id)),
    /** Sets or clears the mark alone: call `cancel` when the period is over. */
    cancelAtPeriodEnd: (id: string, atPeriodEnd = true) =>
      subscriptions.update(account, subscription(id), { cancel_at_period_end: atPeriodEnd }),
    ...makeMoneyActions(account),
  };
}
