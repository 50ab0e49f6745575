import { Permanent } from "../queue/reasons.ts";
import type { StripeClient, StripeInvoice } from "../vendors/stripe/client.ts";
import { isOfUnknownId } from "../vendors/stripe/errors.ts";

/** The standing of an invoice. Only this file compares Stripe's words for it. */
export type InvoiceState =
  | "DRAFT"
  | "OPEN"
  | "PAID"
  /** Voided, or given up as uncollectible: it pays for nothing. */
  | "GIVEN_UP"
  /** A word that is not in this file, or none. */
  | "UNKNOWN";

/** Source: https://docs.stripe.com/api/invoices/object#invoice_object-status */
const INVOICE_STATES = new Map<string | null, InvoiceState>([
  ["draft", "DRAFT"],
  ["open", "OPEN"],
  ["paid", "PAID"],
  ["void", "GIVEN_UP"],
  ["uncollectible", "GIVEN_UP"],
]);

export function invoiceStateOf({ status }: StripeInvoice): InvoiceState {
  return INVOICE_STATES.get(status) ?? "UNKNOWN";
}

/** The invoice at Stripe. One that Stripe does not know is for a person. */
export async function readInvoice(stripe: StripeClient, invoiceId: string): Promise<StripeInvoice> {
  try {
    return await stripe.getInvoice(invoiceId);
  } catch (error) {
    if (isOfUnknownId(error)) throw new Permanent("INVOICE_NOT_FOUND", { invoice: invoiceId });
    throw error;
  }
}
