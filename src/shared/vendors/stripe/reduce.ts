import type Stripe from "stripe";
import type {
  StripeChargeState,
  StripeCheckoutSession,
  StripeCreditNote,
  StripeCustomer,
  StripeInterval,
  StripeInvoice,
  StripeInvoiceLine,
  StripePrice,
  StripeSubscription,
} from "./types.ts";

/** The id of a reference, expanded or not. */
export function idOf(reference: string | { id: string } | null | undefined): string | null {
  if (reference === null || reference === undefined) return null;
  return typeof reference === "string" ? reference : reference.id;
}

/** `lines` are all of them: the invoice itself holds only the first few. */
export function toInvoice(invoice: Stripe.Invoice, lines: Stripe.InvoiceLineItem[]): StripeInvoice {
  return {
    id: invoice.id,
    status: invoice.status,
    customerId: idOf(invoice.customer),
    subscriptionId: idOf(invoice.parent?.subscription_details?.subscription),
    billingReason: invoice.billing_reason,
    createdAt: toDate(invoice.created),
    attemptCount: invoice.attempt_count,
    nextPaymentAttempt: invoice.next_payment_attempt === null ? null : toDate(invoice.next_payment_attempt),
    lines: lines.map(toInvoiceLine),
  };
}

function toInvoiceLine(line: Stripe.InvoiceLineItem): StripeInvoiceLine {
  const item = line.parent?.subscription_item_details;
  const oneOff = line.parent?.invoice_item_details;
  return {
    id: line.id,
    isSubscriptionLine: line.parent?.type === "subscription_item_details",
    priceId: idOf(line.pricing?.price_details?.price),
    amount: line.amount,
    quantity: line.quantity,
    proration: item?.proration ?? oneOff?.proration ?? false,
    subscriptionItemId: item?.subscription_item ?? null,
    subscriptionId: item?.subscription ?? oneOff?.subscription ?? null,
    periodStart: toDate(line.period.start),
    periodEnd: toDate(line.period.end),
  };
}

/** `disputeStatus` is not on the charge: it comes from the newest dispute. */
export function toChargeState(charge: Stripe.Charge, disputeStatus: string | null): StripeChargeState {
  return {
    amount: charge.amount,
    amountRefunded: charge.amount_refunded,
    refunded: charge.refunded,
    disputed: charge.disputed,
    disputeStatus,
  };
}

/**
 * Item periods may differ (and there is none on the subscription): the next refill is the earliest end.
 * Throws for a subscription without the shape that the pinned version promises.
 */
export function toSubscription(
  subscription: Stripe.Subscription,
  items: Stripe.SubscriptionItem[],
): StripeSubscription {
  const ends = items.map((item) => item.current_period_end);
  const ended = subscription.ended_at;
  return {
    id: subscription.id,
    customerId: typeof subscription.customer === "string" ? subscription.customer : subscription.customer.id,
    status: subscription.status,
    collectionPaused: subscription.pause_collection !== null,
    collectionPause: howPaused(subscription.pause_collection),
    cancelAtPeriodEnd: subscription.cancel_at_period_end,
    createdAt: toDate(subscription.created),
    endedAt: ended === null ? null : toDate(ended),
    metadata: { ...subscription.metadata },
    nextRefillAt: ended === null && ends.length > 0 ? toDate(Math.min(...ends)) : null,
    billingAnchor: toDate(subscription.billing_cycle_anchor),
    isScheduled: subscription.schedule !== null,
    hasPendingUpdate: subscription.pending_update !== null,
    items: items.map((item) => ({
      id: item.id,
      priceId: item.price.id,
      quantity: item.quantity ?? null,
      periodEnd: toTime(item.current_period_end),
      ...toInterval(item.price),
    })),
  };
}

function howPaused(pause: Stripe.Subscription.PauseCollection | null): string | null {
  if (!pause) return null;
  return pause.resumes_at
    ? `${pause.behavior} until ${toTime(pause.resumes_at).toISOString()}`
    : pause.behavior;
}

/** Stands for a subscription that {@link toSubscription} cannot read: one must not hide the others of its page. */
export function unreadableSubscription(subscription: Stripe.Subscription): StripeSubscription {
  return {
    id: subscription.id,
    customerId: idOf(subscription.customer) ?? "",
    status: "unreadable",
    collectionPaused: false,
    cancelAtPeriodEnd: false,
    createdAt: toDate(Number.isFinite(subscription.created) ? subscription.created : 0),
    endedAt: null,
    metadata: {},
    nextRefillAt: null,
    billingAnchor: toDate(0),
    isScheduled: false,
    hasPendingUpdate: false,
    items: [],
  };
}

export function toCustomer(customer: Stripe.Customer): StripeCustomer {
  return {
    id: customer.id,
    email: customer.email,
    phone: customer.phone ?? null,
    metadata: { ...customer.metadata },
  };
}

export function toPrice(price: Stripe.Price): StripePrice {
  const { id, active, unit_amount, currency } = price;
  return { id, active, amount: unit_amount, currency, ...toInterval(price) };
}

export function toCheckoutSession(session: Stripe.Checkout.Session): StripeCheckoutSession {
  return {
    id: session.id,
    customerId: idOf(session.customer),
    clientReferenceId: session.client_reference_id,
    email: session.customer_details?.email ?? session.customer_email,
    subscriptionId: idOf(session.subscription),
    metadata: { ...session.metadata },
  };
}

function toInterval({ recurring }: Stripe.Price): StripeInterval {
  const interval = INTERVALS.find((known) => known === recurring?.interval) ?? null;
  return { interval, intervalCount: interval === null ? null : recurring?.interval_count ?? null };
}

const INTERVALS = ["day", "week", "month", "year"] as const;

export function toCreditNote(note: Stripe.CreditNote, lines: Stripe.CreditNoteLineItem[]): StripeCreditNote {
  return {
    id: note.id,
    status: note.status,
    lines: lines.map((line) => ({ invoiceLineItemId: line.invoice_line_item ?? null, amount: line.amount })),
  };
}

/** As {@link toDate}. Throws for a time that no plan can use. */
function toTime(epochSeconds: number): Date {
  const date = toDate(epochSeconds);
  if (!(date.getTime() > 0 && date.getUTCFullYear() < 3000)) throw new RangeError("not a time");
  return date;
}

function toDate(epochSeconds: number): Date {
  return new Date(epochSeconds * 1000);
}
