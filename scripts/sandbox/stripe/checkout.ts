import { mustHave } from "../shelf.ts";
import { createCustomer } from "./customers.ts";
import type { Account } from "./account.ts";
import type { CheckoutSession, Metadata } from "./objects.ts";
import { subscribe } from "./subscriptions.ts";

export interface CheckoutRequest {
  email: string;
  /** An existing customer with a card on file; without one the session makes a new customer. */
  customerId?: string;
  priceId: string;
  /** The key of the company's own sign-up for the customer. */
  clientReferenceId?: string;
  /** Of the session: Stripe copies it neither to the customer nor to the subscription. */
  metadata?: Metadata;
}

/**
 * A customer pays for a subscription in a session in mode `subscription`. A new one's card is on file and the
 * subscription's default, not the customer's. Sends `checkout.session.completed` after all the rest.
 */
export function completeCheckout(account: Account, request: CheckoutRequest): CheckoutSession {
  const { state, events } = account;
  const { email, priceId, clientReferenceId = null, metadata = {} } = request;
  const customer = request.customerId === undefined
    ? createCustomer(account, { email, card: "on_file" })
    : mustHave(state.customers, request.customerId);
  const [card] = state.paymentMethods.group(customer.id).values();
  const subscription = subscribe(account, {
    customerId: customer.id,
    items: [{ price: priceId, quantity: 1 }],
    paymentMethod: card?.id,
  });
  const session = state.checkoutSessions.add({
    ...state.fresh("checkout.session", "cs_test_a1", 56),
    client_reference_id: clientReferenceId,
    customer: customer.id,
    customer_details: { email },
    customer_email: null,
    invoice: subscription.latest_invoice,
    metadata: { ...metadata },
    mode: "subscription",
    payment_status: "paid",
    status: "complete",
    subscription: subscription.id,
  });
  events.emit("checkout.session.completed", session);
  return session;
}
