import { Permanent, type Reason, reason } from "../queue/reasons.ts";
import type { StripeChargeState, StripeClient, StripeInvoice } from "../vendors/stripe/client.ts";
import { isOfUnknownId } from "../vendors/stripe/errors.ts";

/** The standing of an invoice. Only this file compares Stripe's words for invoices, disputes and credit notes. */
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

/** A dispute that ended in our favour, or was only a warning, leaves the charge paid. */
const HARMLESS_DISPUTES = new Set(["won", "warning_closed", "prevented"]);

export function isDisputed(charge: StripeChargeState): boolean {
  return charge.disputed && !HARMLESS_DISPUTES.has(charge.disputeStatus ?? "");
}

/** The invoice at Stripe. One that Stripe does not know is for a person. */
export async function readInvoice(stripe: StripeClient, invoiceId: string): Promise<StripeInvoice> {
  try {
    return await stripe.getInvoice(invoiceId);
  } catch (error) {
    if (isOfUnknownId(error)) {
      throw new Permanent("INVOICE_NOT_FOUND", { invoice: invoiceId });
    }
    throw error;
  }
}

/** Why nothing may ship for this invoice; null when it is paid. Its charges show a refund, which it does not. */
export async function whyNotPaid(stripe: StripeClient, invoice: StripeInvoice): Promise<Reason | null> {
  if (invoiceStateOf(invoice) !== "PAID") {
    return reason("INVOICE_NOT_PAID", { invoice: invoice.id, status: invoice.status ?? "unknown" });
  }
  const { charges } = await stripe.getInvoicePayment(invoice.id);
  if (charges.some(isDisputed)) return reason("CHARGE_DISPUTED");
  if (charges.length > 0 && charges.every((charge) => charge.refunded)) return reason("CHARGE_REFUNDED");
  return null;
}

/** The lines of the invoice that credit notes gave back in full. */
export async function creditedLines(stripe: StripeClient, invoice: StripeInvoice): Promise<Set<string>> {
  const credited = new Map<string, number>();
  for (const note of await stripe.listCreditNotes(invoice.id)) {
    if (note.status !== "issued") continue;
    for (const { invoiceLineItemId, amount } of note.lines) {
      if (invoiceLineItemId) credited.set(invoiceLineItemId, (credited.get(invoiceLineItemId) ?? 0) + amount);
    }
  }
  const lines = invoice.lines.filter((line) =>
    line.amount > 0 && (credited.get(line.id) ?? 0) >= line.amount
  );
  return new Set(lines.map((line) => line.id));
}
