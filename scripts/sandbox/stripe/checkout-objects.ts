import type Stripe from "stripe";
import type { Common, Metadata, Price, Wire } from "./objects.ts";

export type CheckoutSession =
  & Wire<
    Stripe.Checkout.Session,
    | Common
    | "amount_subtotal"
    | "amount_total"
    | "client_reference_id"
    | "currency"
    | "customer_email"
    | "mode"
    | "payment_status"
    | "status",
    {
      customer: string;
      invoice: string | null;
      metadata: Metadata;
      payment_intent: string | null;
      subscription: string | null;
    }
  >
  & { customer_details: { email: string | null } };

/** A position of a Checkout session. */
export type CheckoutLine =
  & Wire<
    Stripe.LineItem,
    | "id"
    | "object"
    | "amount_discount"
    | "amount_subtotal"
    | "amount_tax"
    | "amount_total"
    | "currency"
    | "description"
    | "metadata"
    | "quantity",
    Record<never, never>
  >
  & { price: Price };
