import type Stripe from "stripe";
import type {
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
    currency: invoice.currency,
    total: invoice.total,
    prePaymentCredits: invoice.pre_payment_credit_notes_amount,
    overpaid: invoice.amount_overpaid,
    lines: lines.map(toInvoiceLine),
  };
}

function toInvoiceLine(line: Stripe.InvoiceLineItem): StripeInvoiceLine {
  const item = line.parent?.subscription_item_details;
  const oneOff = line.parent?.invoice_item_details;
  const { proration_details: proration } = item ?? oneOff ?? {};
  return {
    id: line.id,
    isSubscriptionLine: line.parent?.type === "subscription_item_details",
    priceId: idOf(line.pricing?.price_details?.price),
    amount: line.amount,
    quantity: line.quantity,
    proration: item?.proration ?? oneOff?.proration ?? false,
    creditedLineIds: proration?.credited_items?.invoice_line_items ?? [],
    invoiceItemId: item?.invoice_item ?? oneOff?.invoice_item ?? null,
    creditedItemId: null,
    subscriptionItemId: item?.subscription_item ?? null,
    subscriptionId: item?.subscription ?? oneOff?.subscription ?? null,
    ...toPeriod(line.period),
  };
}

/** An item that waits for its invoice, as the line it will be. */
export function toPendingLine(item: Stripe.InvoiceItem): StripeInvoiceLine {
  const { subscription, subscription_item } = item.parent?.subscription_details ?? {};
  const credited = item.proration_details?.credited_items;
  return {
    id: item.id,
    isSubscriptionLine: subscription_item !== undefined,
    priceId: idOf(item.pricing?.price_details?.price),
    amount: item.amount,
    quantity: item.quantity,
    proration: item.proration,
    creditedLineIds: credited?.invoice_line_item_details?.invoice_line_items ?? [],
    invoiceItemId: item.id,
    creditedItemId: credited?.invoice_item ?? null,
    subscriptionItemId: subscription_item ?? null,
    subscriptionId: subscription ?? null,
    ...toPeriod(item.period),
  };
}

function toPeriod({ start, end }: { start: number; end: number }) {
  return { periodStart: toDate(start), periodEnd: toDate(end) };
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
    pausedBecause: subscription.status_details?.paused?.subscription?.type ?? null,
    endsAt: endOf(subscription, ends),
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

/** A schedule decides the end where it cancels with its last phase, and no sooner end is set. */
function endOf(
  { cancel_at, cancel_at_period_end, schedule }: Stripe.Subscription,
  periodEnds: readonly number[],
): Date | null {
  const ends = [
    ...(cancel_at === null ? [] : [cancel_at]),
    ...(cancel_at_period_end && periodEnds.length > 0 ? [Math.min(...periodEnds)] : []),
    ...(typeof schedule === "object" && schedule?.end_behavior === "cancel"
      ? schedule.phases.map(({ end_date }) => end_date).slice(-1)
      : []),
  ];
  return ends.length === 0 ? null : toTime(Math.min(...ends));
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
    pausedBecause: null,
    endsAt: null,
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
  const { id, active, unit_amount, currency, recurring } = price;
  const isMetered = recurring?.usage_type === "metered";
  return { id, active, amount: unit_amount, isMetered, currency, ...toInterval(price) };
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
    total: note.total,
    postPayment: note.post_payment_amount,
    refundIds: note.refunds.flatMap(({ refund }) => idOf(refund) ?? []),
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
