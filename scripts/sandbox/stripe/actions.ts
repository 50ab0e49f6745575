import { type CardState, changeCard, type PaymentBehavior } from "./cards.ts";
import { type CheckoutRequest, completeCheckout } from "./checkout.ts";
import {
  addPrice,
  archivePrice,
  createCustomer,
  type CustomerFields,
  deleteCustomer,
  newCustomer,
  type PriceFields,
  updateCustomer,
} from "./customers.ts";
import { attemptPayment, closeInvoice, type World } from "./invoicing.ts";
import { addInvoiceItem, changeQuantity, type PriceMove } from "./items.ts";
import { closeDispute, creditNote, dispute, refund } from "./money.ts";
import {
  type CheckoutSession,
  type CreditNote,
  type Customer,
  type DeletedCustomer,
  type Dispute,
  type Invoice,
  type Metadata,
  type PauseBehavior,
  type Price,
  type Refund,
  type StripeEvent,
  type Subscription,
} from "./objects.ts";
import * as subscriptions from "./subscriptions.ts";

/**
 * What people and time do at Stripe. Each changes the state and puts the webhooks Stripe would send into the
 * outbox. Objects are given back as they are kept, so they show what happens to them later.
 * An unknown id, or what Stripe would refuse, throws.
 */
export interface StripeActions {
  /** With a card that can be charged, unless `card` says otherwise. */
  createCustomer(fields: CustomerFields & { card?: CardState }): Customer;
  updateCustomer(customerId: string, fields: CustomerFields): Customer;
  /** The customer's cards become this one, or none. */
  changeCard(customerId: string, card: CardState): Customer;
  /** Its subscriptions are cancelled. */
  deleteCustomer(customerId: string): DeletedCustomer;
  /** A new customer signs up by Checkout; the session names the customer and the subscription. */
  completeCheckout(request: CheckoutRequest): CheckoutSession;
  /**
   * Somebody who was there before anybody listened, with a subscription to `priceId` if given, its first period just
   * begun. No events, no invoices: cheap enough for a hundred thousand.
   */
  importCustomer(
    fields: CustomerFields & { card?: CardState; priceId?: string; subscriptionMetadata?: Metadata },
  ): { customer: Customer; subscription: Subscription | null };
  addPrice(fields: PriceFields): Price;
  /** Its first invoice is paid at once, unless `paymentBehavior` lets it stay open; `latest_invoice` names it. */
  subscribe(request: {
    customerId: string;
    priceIds: { price: string; quantity: number }[];
    metadata?: Metadata;
    paymentBehavior?: PaymentBehavior;

    /** Begins with a free trial: status `trialing`, a first invoice of $0. */
    trialDays?: number;
  }): Subscription;
  /** An incomplete subscription's first charge is paid after all. */
  completeFirstPayment(subscriptionId: string): Subscription;
  /** Nobody paid it in time: `incomplete_expired`, for ever. */
  expireIncomplete(subscriptionId: string): Subscription;
  /** The next period: a paid invoice, unless collection is paused. */
  renew(subscriptionId: string): Invoice;
  /** The next period, but the card is declined: the invoice stays open, the subscription is `past_due`. */
  failPayment(subscriptionId: string): Invoice;
  /** Stripe tries an open invoice again, and the card is declined again; after the last try there is no next one. */
  retryPayment(invoiceId: string, options?: { isLast?: boolean }): Invoice;
  /** The card works again: an open invoice is paid. */
  payInvoice(invoiceId: string): Invoice;
  /** Open ones only. */
  voidInvoice(invoiceId: string): Invoice;
  /** `invoice.upcoming`, some days before the renewal. Its invoice has no id yet. */
  announceRenewal(subscriptionId: string): StripeEvent;
  changeQuantity(subscriptionId: string, itemId: string, quantity: number): Subscription;
  /** Another price for an item; with the same price and `anchor: "now"` the next period begins, and is charged, early. */
  changePrice(subscriptionId: string, move: PriceMove): Subscription;
  /** A one-off charge on the next invoice. */
  addInvoiceItem(subscriptionId: string, amount: number): void;
  /** A schedule takes the subscription over. Its phases are not played here. */
  attachSchedule(subscriptionId: string): Subscription;
  /** Stripe sells at it no more: no subscription can get it, those that have it keep it. */
  archivePrice(priceId: string): Price;
  /** `pause_collection`; the default voids each invoice. */
  pauseCollection(subscriptionId: string, behavior?: PauseBehavior): Subscription;
  resumeCollection(subscriptionId: string): Subscription;
  /** Status `paused`. Nothing renews until it is resumed; a period that is over by then begins anew, and is charged. */
  pause(subscriptionId: string): Subscription;
  resume(subscriptionId: string): Subscription;
  cancel(subscriptionId: string): Subscription;
  /** Only marks it (or, on second thoughts, takes the mark off): call `cancel` when the period is over. */
  cancelAtPeriodEnd(subscriptionId: string, atPeriodEnd?: boolean): Subscription;
  /** Without an amount: all that is left. */
  refund(chargeId: string, amount?: number): Refund;
  /** Names a line of a paid invoice. Refunds the amount too, unless `refunds` is false. */
  creditNote(invoiceId: string, line: { lineId: string; amount: number; refunds?: boolean }): CreditNote;
  dispute(chargeId: string): Dispute;
  closeDispute(disputeId: string, status: "won" | "lost"): Dispute;
}

export function makeActions(world: World): StripeActions {
  const { state, events } = world;
  const subscription = (id: string) => need(state.subscriptions, id);
  return {
    createCustomer: (fields) => createCustomer(world, { card: "default", ...fields }),
    updateCustomer: (id, fields) => updateCustomer(world, need(state.customers, id), fields),
    changeCard: (id, card) => changeCard(world, need(state.customers, id), card),
    deleteCustomer: (id) => deleteCustomer(world, need(state.customers, id)),
    completeCheckout: (request) => completeCheckout(world, request),
    importCustomer: ({ priceId, subscriptionMetadata, ...fields }) => {
      const customer = newCustomer(state, { card: "default", ...fields });
      const subscription = priceId === undefined ? null : subscriptions.newSubscription(world, {
        customerId: customer.id,
        items: [{ price: priceId, quantity: 1 }],
        ...(subscriptionMetadata ? { metadata: subscriptionMetadata } : {}),
      });
      return { customer, subscription };
    },
    addPrice: (fields) => addPrice(world, fields),
    subscribe: ({ priceIds, ...request }) => subscriptions.subscribe(world, { ...request, items: priceIds }),
    completeFirstPayment: (id) => subscriptions.completeFirstPayment(world, subscription(id)),
    expireIncomplete: (id) => subscriptions.expireIncomplete(world, subscription(id)),
    renew: (id) => subscriptions.renew(world, subscription(id), true),
    failPayment: (id) => subscriptions.renew(world, subscription(id), false),
    retryPayment: (id, { isLast = false } = {}) => {
      const invoice = need(state.invoices, id);
      attemptPayment(world, invoice, false, isLast);
      return invoice;
    },
    payInvoice: (id) => {
      const invoice = need(state.invoices, id);
      attemptPayment(world, invoice, true);
      const payer = subscription(invoice.parent.subscription_details.subscription);
      if (payer.status === "past_due") subscriptions.update(world, payer, { status: "active" });
      return invoice;
    },
    voidInvoice: (id) => {
      const invoice = need(state.invoices, id);
      closeInvoice(world, invoice, "void");
      return invoice;
    },
    announceRenewal: (id) => {
      const { customer, items, metadata } = subscription(id);
      const due = Math.min(...items.data.map((item) => item.current_period_end));
      return events.emit("invoice.upcoming", {
        id: null,
        object: "invoice",
        billing_reason: "upcoming",
        created: due,
        customer,
        livemode: false,
        next_payment_attempt: due,
        parent: {
          type: "subscription_details",
          quote_details: null,
          subscription_details: { subscription: id, metadata },
        },
        status: "draft",
      });
    },
    changeQuantity: (id, itemId, quantity) => changeQuantity(world, subscription(id), itemId, quantity),
    changePrice: (id, move) => subscriptions.update(world, subscription(id), {}, move),
    addInvoiceItem: (id, amount) => addInvoiceItem(world, subscription(id), amount),
    attachSchedule: (id) =>
      subscriptions.update(world, subscription(id), { schedule: state.newId("sub_sched_1", 23) }),
    archivePrice: (id) => archivePrice(world, need(state.prices, id)),
    pauseCollection: (id, behavior = "void") =>
      subscriptions.pauseCollection(world, subscription(id), behavior),
    resumeCollection: (id) => subscriptions.pauseCollection(world, subscription(id), null),
    pause: (id) => subscriptions.pause(world, subscription(id)),
    resume: (id) => subscriptions.resume(world, subscription(id)),
    cancel: (id) => subscriptions.cancel(world, subscription(id)),
    cancelAtPeriodEnd: (id, atPeriodEnd = true) =>
      subscriptions.update(world, subscription(id), { cancel_at_period_end: atPeriodEnd }),
    refund: (id, amount) => refund(world, need(state.charges, id), amount),
    creditNote: (id, line) => creditNote(world, need(state.invoices, id), line),
    dispute: (id) => dispute(world, need(state.charges, id)),
    closeDispute: (id, status) => closeDispute(world, need(state.disputes, id), status),
  };
}

function need<T>(map: ReadonlyMap<string, T>, id: string): T {
  const object = map.get(id);
  if (object === undefined) throw new Error(`the Stripe sandbox has no ${id}`);
  return object;
}
