import { invalidRequest, StripeApiError } from "./errors.ts";
import type { Account } from "./account.ts";
import type { Customer } from "./objects.ts";
import type { StripeState } from "./state.ts";

/**
 * A customer's card. `default`: invoices are charged to it. `on_file`: charged only where a subscription names it, as
 * Checkout leaves it. `declined`: a default card on which every charge fails.
 */
export type CardState = "default" | "on_file" | "declined" | "none";

/**
 * `error_if_incomplete`: refused, nothing is made. `allow_incomplete` (Stripe's default): made as `incomplete` with an
 * open invoice after a failed charge. `default_incomplete`: always made so, without a try, for the customer to pay.
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
    livemode: state.livemode,
    card: { brand: "visa", exp_month: 12, exp_year: 2040, last4: "4242" },
    customer: customer.id,
    metadata: {},
    type: "card",
  });
  if (card === "declined") state.declining.add(id);
}

/** The customer's cards become this one, or none. Sends `payment_method.…` and `customer.updated`. */
export function changeCard({ state, events }: Account, customer: Customer, card: CardState): Customer {
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
 * True where the first charge of a new subscription succeeds, false where it stays open. Refuses a declined card under
 * `error_if_incomplete`, and a customer without a payment method, before anything is made.
 */
export function takesPayment(
  { state }: Account,
  customer: Customer,
  { amount, method, behavior }: { amount: number; method: string | null; behavior: PaymentBehavior },
): boolean {
  if (amount === 0) return true;
  if (behavior === "default_incomplete") return false;
  const charged = method ?? customer.invoice_settings.default_payment_method ?? customer.default_source;
  if (charged === null) {
    throw invalidRequest("This customer has no attached payment source or default payment method.", {
      code: "resource_missing",
    });
  }
  if (!state.declining.has(charged)) return true;
  if (behavior !== "error_if_incomplete") return false;
  throw new StripeApiError(402, {
    type: "card_error",
    code: "card_declined",
    message: "Your card was declined.",
  });
}
