import type Stripe from "stripe";
import { callStripe } from "./errors.ts";
import { PAGE_SIZE, whole } from "./pages.ts";
import { idOf, toChargeState, toCreditNote, toInvoice } from "./reduce.ts";
import type { StripeInvoiceCharge, StripePayments } from "./types.ts";

export function makePayments(stripe: Stripe): StripePayments {
  return {
    getInvoice: (id) =>
      callStripe("get invoice", async () => {
        const invoice = await stripe.invoices.retrieve(id);
        const listLines = () => stripe.invoices.listLineItems(id, { limit: PAGE_SIZE });
        return toInvoice(invoice, await whole(invoice.lines, listLines));
      }),

    getInvoicePayment: (invoiceId) =>
      callStripe("get invoice payment", async () => {
        const payments = stripe.invoicePayments.list({
          invoice: invoiceId,
          limit: PAGE_SIZE,
          expand: ["data.payment.payment_intent"],
        });
        const charges: StripeInvoiceCharge[] = [];
        for await (const payment of payments) {
          const chargeId = chargeOf(payment);
          if (chargeId === null) continue;
          const charge = await stripe.charges.retrieve(chargeId);
          if (charge.status === "failed") continue;
          charges.push({ chargeId, ...toChargeState(charge, await disputeStatus(stripe, charge)) });
        }
        return { charges };
      }),

    getCharge: (id) =>
      callStripe("get charge", async () => {
        const charge = await stripe.charges.retrieve(id);
        return {
          id: charge.id,
          ...toChargeState(charge, await disputeStatus(stripe, charge)),
          customerId: idOf(charge.customer),
          invoiceId: await invoiceOf(stripe, charge),
        };
      }),

    getDisputedCharge: (disputeId) =>
      callStripe("get dispute", async () => {
        const { charge } = await stripe.disputes.retrieve(disputeId);
        return typeof charge === "string" ? charge : charge.id;
      }),

    listCreditNotes: (invoiceId) =>
      callStripe("list credit notes", async () => {
        const notes = [];
        for await (const note of stripe.creditNotes.list({ invoice: invoiceId, limit: PAGE_SIZE })) {
          const listLines = () => stripe.creditNotes.listLineItems(note.id, { limit: PAGE_SIZE });
          notes.push(toCreditNote(note, await whole(note.lines, listLines)));
        }
        return notes;
      }),
  };
}

/** The charge behind an invoice payment; null where nothing was charged yet, or it was paid outside Stripe. */
function chargeOf({ payment }: Stripe.InvoicePayment): string | null {
  if (payment.type === "charge") return idOf(payment.charge);
  const intent = payment.payment_intent;
  return typeof intent === "object" ? idOf(intent.latest_charge) : null;
}

/** A charge does not name its invoice in this API version: the invoice's payments name the payment intent. */
async function invoiceOf(stripe: Stripe, charge: Stripe.Charge): Promise<string | null> {
  const paymentIntent = idOf(charge.payment_intent);
  if (paymentIntent === null) return null;
  const payments = await stripe.invoicePayments.list({
    payment: { type: "payment_intent", payment_intent: paymentIntent },
    limit: 1,
  });
  return idOf(payments.data[0]?.invoice);
}

/** The state of the newest dispute. `disputed` alone stays true for ever, also after we won. */
async function disputeStatus(stripe: Stripe, charge: Stripe.Charge): Promise<string | null> {
  if (!charge.disputed) return null;
  const disputes = await stripe.disputes.list({ charge: charge.id, limit: 1 });
  return disputes.data[0]?.status ?? null;
}
