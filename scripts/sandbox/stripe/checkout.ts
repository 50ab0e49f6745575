import { createCustomer } from "./customers.ts";
import type { World } from "./invoicing.ts";
import type { CheckoutSession, Metadata } from "./objects.ts";
import { subscribe } from "./subscriptions.ts";

export interface CheckoutRequest {
  email: string;
  /** An existing customer with a card on file; without one the session makes a new customer. */
  customerId?: string;
  priceId: string;
  /** What the company's own sign-up knows the customer by. */
  clientReferenceId?: string;
  /** Of the session: Stripe copies it neither to the customer nor to the subscription. */
  metadata?: Metadata;
}

/**
 * A customer pays for a subscription in a session in mode `subscription`. A new one's card is on file and the
 * subscription's default, not the customer's. Sends `checkout.session.completed` after all the rest.
 */
export function completeCheckout(world: World, request: CheckoutRequest): CheckoutSession {
  const { state, events } = world;
  const { email, priceId, clientReferenceId = null, metadata = {} } = request;
  const customer = existing(world, request.customerId) ?? createCustomer(world, { email, card: "on_file" });
  const [card] = state.paymentMethods.group(customer.id).values();
  const subscription = subscribe(world, {
    customerId: customer.id,
    items: [{ price: priceId, quantity: 1 }],
    ...(card ? { paymentMethod: card.id } : {}),
  });
  const session: CheckoutSession = {
    id: state.newId("cs_test_a1", 56),
    object: "checkout.session",
    created: state.nowSeconds(),
    livemode: false,
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
  };
  state.checkoutSessions.set(session.id, session);
  events.emit("checkout.session.completed", session);
  return session;
}

function existing({ state }: World, id: string | undefined) {
  const customer = id === undefined ? undefined : state.customers.get(id);
  if (id !== undefined && !customer) throw new Error(`the Stripe sandbox has no ${id}`);
  return customer;
}
