import { declined, noPaymentMethod } from "./errors.ts";
import type { World } from "./invoicing.ts";
import type { Customer } from "./objects.ts";
import type { StripeState } from "./state.ts";

/**
 * What a customer pays with. `default`: a card that invoices are charged to. `on_file`: a card that is charged only
 * where a subscription names it, as Checkout leaves it. `declined`: a default that every charge fails on.
 */
export type CardState = "default" | "on_file" | "declined" | "none";

/**
 * `error_if_incomplete`: refused, nothing is made. `allow_incomplete` (Stripe's default): made as `incomplete` with an
 * open invoice. `default_incomplete`: so made in any case, to be paid by the customer; nothing is tried.
 */
export type PaymentBehavior = "allow_incomplete" | "default_incomplete" | "error_if_incomplete";

/** Puts a card on file, without any event. */
export function addCard(state: StripeState, customer: Customer, card: CardState, id: string): void {
  customer.invoice_settings = {
    default_payment_method: card === "default" || card === "declined" ? id : null,
  };
  if (card === "none") return;
  state.paymentMethods.set(id, {
    id,
    object: "payment_method",
    created: state.nowSeconds(),
    livemode: false,
    card: { brand: "visa", exp_month: 12, exp_year: 2040, last4: "4242" },
    customer: customer.id,
    metadata: {},
    type: "card",
  });
  if (card === "declined") state.declining.add(id);
}

/** The customer's cards become this one, or none. Sends `payment_method.…` and `customer.updated`. */
export function changeCard({ state, events }: World, customer: Customer, card: CardState): Customer {
  const previous = { invoice_settings: customer.invoice_settings };
  for (const method of [...state.paymentMethods.group(customer.id).values()]) {
    state.paymentMethods.delete(method.id);
    events.emit("payment_method.detached", { ...method, customer: null }, { customer: customer.id });
  }
  const id = state.newId("pm_1", 23);
  addCard(state, customer, card, id);
  const added = state.paymentMethods.get(id);
  if (added) events.emit("payment_method.attached", added);
  events.emit("customer.updated", customer, previous);
  return customer;
}

/**
 * True where the first charge of a new subscription succeeds, false where it stays open. Refuses, with nothing made, a
 * card that is declined under `error_if_incomplete`, and what has nothing to be charged to.
 */
export function takesPayment(
  { state }: World,
  customer: Customer,
  { amount, method, behavior }: { amount: number; method: string | null; behavior: PaymentBehavior },
): boolean {
  if (amount === 0) return true;
  if (behavior === "default_incomplete") return false;
  const charged = method ?? customer.invoice_settings.default_payment_method ?? customer.default_source;
  if (charged === null) throw noPaymentMethod();
  if (!state.declining.has(charged)) return true;
  if (behavior === "error_if_incomplete") throw declined();
  return false;
}
