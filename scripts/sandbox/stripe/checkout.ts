import { mustHave } from "../shelf.ts";
import { amountOf } from "./amounts.ts";
import type { CheckoutLine, CheckoutSession } from "./checkout-objects.ts";
import { createCustomer } from "./customers.ts";
import { invalidRequest, need } from "./errors.ts";
import type { Account } from "./account.ts";
import type { Customer, Metadata } from "./objects.ts";
import { charge } from "./settle.ts";
import { subscribe } from "./subscriptions.ts";

interface Visit {
  email: string;
  /** An existing customer with a card on file; without one the session makes a new customer. */
  customerId?: string;
  /** The key of the company's own sign-up for the customer. */
  clientReferenceId?: string;
  /** Of the session: Stripe copies it neither to the customer nor to the subscription. */
  metadata?: Metadata;
}

export interface CheckoutRequest extends Visit {
  priceId: string;
}

export interface PaymentRequest extends Visit {
  items: { priceId: string; quantity: number }[];
  /** False: a bank debit that is still on its way, `unpaid` until `settleCheckout`. */
  paid?: boolean;
}

/**
 * A customer pays for a subscription in a session in mode `subscription`. A new one's card is on file and the
 * subscription's default, not the customer's. Sends `checkout.session.completed` after all the rest.
 */
export function completeCheckout(account: Account, request: CheckoutRequest): CheckoutSession {
  const { state } = account;
  const customer = visit(account, request);
  const [card] = state.paymentMethods.group(customer.id).values();
  const subscription = subscribe(account, {
    customerId: customer.id,
    items: [{ price: request.priceId, quantity: 1 }],
    paymentMethod: card?.id,
  });
  return complete(account, request, customer, {
    lines: [{ priceId: request.priceId, quantity: 1 }],
    invoice: subscription.latest_invoice,
    mode: "subscription",
    payment_intent: null,
    payment_status: "paid",
    subscription: subscription.id,
  });
}

/**
 * A customer pays once, in a session in mode `payment`: no subscription, and no invoice. Sends `charge.succeeded`,
 * `payment_intent.succeeded` and `checkout.session.completed`.
 */
export function payByCheckout(account: Account, request: PaymentRequest): CheckoutSession {
  const { state } = account;
  const customer = visit(account, request);
  const { items, paid = true } = request;
  const amount = items.reduce(
    (sum, { priceId, quantity }) =>
      sum + amountOf(state, need(state.prices, "price", priceId, "line_items"), quantity),
    0,
  );
  const intent = state.paymentIntents.add({
    ...state.fresh("payment_intent", "pi_3", 23),
    amount,
    amount_received: 0,
    canceled_at: null,
    currency: "usd",
    customer: customer.id,
    latest_charge: null,
    payment_method: null,
    status: "processing",
  });
  if (paid) succeed(account, intent.id);
  return complete(account, request, customer, {
    lines: items,
    invoice: null,
    mode: "payment",
    payment_intent: intent.id,
    payment_status: amount === 0 ? "no_payment_required" : paid ? "paid" : "unpaid",
    subscription: null,
  });
}

/** The bank debit of an unpaid session went through. Sends `checkout.session.async_payment_succeeded`. */
export function settleCheckout(account: Account, session: CheckoutSession): CheckoutSession {
  if (session.payment_status !== "unpaid" || session.payment_intent === null) {
    throw invalidRequest("Nothing is on its way for this session.");
  }
  succeed(account, session.payment_intent);
  session.payment_status = "paid";
  account.events.emit("checkout.session.async_payment_succeeded", session);
  return session;
}

function visit(account: Account, { email, customerId }: Visit): Customer {
  return customerId === undefined
    ? createCustomer(account, { email, card: "on_file" })
    : mustHave(account.state.customers, customerId);
}

function succeed(account: Account, intentId: string): void {
  charge(account, mustHave(account.state.paymentIntents, intentId), "succeeded");
}

function complete(
  { state, events }: Account,
  { email, clientReferenceId, metadata = {} }: Visit,
  customer: Customer,
  { lines: positions, ...outcome }:
    & { lines: { priceId: string; quantity: number }[] }
    & Pick<CheckoutSession, "invoice" | "mode" | "payment_intent" | "payment_status" | "subscription">,
): CheckoutSession {
  const base = state.fresh("checkout.session", "cs_test_a1", 56);
  const lines = positions.map(({ priceId, quantity }, index): CheckoutLine => {
    const price = need(state.prices, "price", priceId, "line_items");
    const amount = amountOf(state, price, quantity);
    return {
      // Follows from the session's id, so that a seed gives the same ids with and without.
      id: `li_1${base.id.slice(-21)}${String(index).padStart(2, "0")}`,
      object: "item",
      amount_discount: 0,
      amount_subtotal: amount,
      amount_tax: 0,
      amount_total: amount,
      currency: "usd",
      description: String(price.product),
      metadata: {},
      price,
      quantity,
    };
  });
  const total = lines.reduce((sum, line) => sum + line.amount_total, 0);
  const session = state.checkoutSessions.add({
    ...base,
    amount_subtotal: total,
    amount_total: total,
    client_reference_id: clientReferenceId ?? null,
    currency: "usd",
    customer: customer.id,
    customer_details: { email },
    customer_email: null,
    metadata: { ...metadata },
    status: "complete",
    ...outcome,
  });
  state.checkoutLines.set(session.id, lines);
  events.emit("checkout.session.completed", session);
  return session;
}
