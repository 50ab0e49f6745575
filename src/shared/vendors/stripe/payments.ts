import type Stripe from "stripe";
import { callStripe } from "./errors.ts";
import { PAGE_SIZE, whole } from "./pages.ts";
import { idOf, toCreditNote, toInvoice, toPendingLine } from "./reduce.ts";
import type {
  StripeCreditNote,
  StripeDispute,
  StripeInvoice,
  StripePayments,
  StripeRefund,
} from "./types.ts";

export function makePayments(stripe: Stripe): StripePayments {
  return {
    getInvoice: (id) =>
      callStripe("get invoice", async () => await wholeInvoice(stripe, await stripe.invoices.retrieve(id))),

    getGivenBack: (invoiceId) =>
      callStripe("get given back", async () => {
        const refunds: StripeRefund[] = [];
        const disputes: StripeDispute[] = [];
        for await (
          const { payment, status } of stripe.invoicePayments.list({ invoice: invoiceId, limit: PAGE_SIZE })
        ) {
          const source = status === "paid" ? sourceOf(payment) : null;
          if (!source) continue;
          for await (const { id, amount, status } of stripe.refunds.list({ ...source, limit: PAGE_SIZE })) {
            refunds.push({ id, amount, status });
          }
          for await (const dispute of stripe.disputes.list({ ...source, limit: PAGE_SIZE })) {
            const { id, amount, status, balance_transactions } = dispute;
            disputes.push({ id, amount, status, isWithdrawn: balance_transactions.length > 0 });
          }
        }
        return { refunds, disputes, creditNotes: await listCreditNotes(stripe, invoiceId) };
      }),

    findInvoice: (objectId) => callStripe("find invoice", async () => await findInvoice(stripe, objectId)),

    listInvoices: ({ subscriptionId, since }) =>
      callStripe("list invoices of a subscription", async () => {
        const created = { gte: Math.floor(since.getTime() / 1000) };
        const invoices: StripeInvoice[] = [];
        for await (
          const invoice of stripe.invoices.list({ subscription: subscriptionId, created, limit: PAGE_SIZE })
        ) invoices.push(await wholeInvoice(stripe, invoice));
        return invoices;
      }),

    listPendingItems: (customerId) =>
      callStripe("list pending invoice items", async () => {
        const lines = [];
        for await (
          const item of stripe.invoiceItems.list({ customer: customerId, pending: true, limit: PAGE_SIZE })
        ) {
          lines.push(toPendingLine(item));
        }
        return lines;
      }),
  };
}

async function wholeInvoice(stripe: Stripe, invoice: Stripe.Invoice): Promise<StripeInvoice> {
  const listLines = () => stripe.invoices.listLineItems(invoice.id, { limit: PAGE_SIZE });
  return toInvoice(invoice, await whole(invoice.lines, listLines));
}

async function listCreditNotes(stripe: Stripe, invoiceId: string): Promise<StripeCreditNote[]> {
  const notes = [];
  for await (const note of stripe.creditNotes.list({ invoice: invoiceId, limit: PAGE_SIZE })) {
    const listLines = () => stripe.creditNotes.listLineItems(note.id, { limit: PAGE_SIZE });
    notes.push(toCreditNote(note, await whole(note.lines, listLines)));
  }
  return notes;
}

/** The parameter by which a payment's refunds and disputes are listed; null where it was made outside Stripe. */
function sourceOf(
  { payment_intent, charge }: Stripe.InvoicePayment.Payment,
): { payment_intent: string } | { charge: string } | null {
  const [intentId, chargeId] = [idOf(payment_intent), idOf(charge)];
  if (intentId !== null) return { payment_intent: intentId };
  return chargeId === null ? null : { charge: chargeId };
}

/** The kinds of object that are about money of an invoice, by the beginning of their ids. */
async function findInvoice(stripe: Stripe, id: string): Promise<string | null> {
  switch (id.slice(0, id.indexOf("_"))) {
    case "in":
      return id;
    case "cn":
      return idOf((await stripe.creditNotes.retrieve(id)).invoice);
    case "ch":
    case "py":
      return await paidInvoice(stripe, (await stripe.charges.retrieve(id)).payment_intent);
    case "re":
    case "pyr":
      return await paidInvoice(stripe, (await stripe.refunds.retrieve(id)).payment_intent);
    case "du":
    case "dp":
      return await paidInvoice(stripe, (await stripe.disputes.retrieve(id)).payment_intent);
    default:
      return null;
  }
}

/** A charge does not name its invoice in this API version: the invoice's payments name the payment intent. */
async function paidInvoice(
  stripe: Stripe,
  paymentIntent: string | Stripe.PaymentIntent | null,
): Promise<string | null> {
  const id = idOf(paymentIntent);
  if (id === null) return null;
  const payments = await stripe.invoicePayments.list({
    payment: { type: "payment_intent", payment_intent: id },
    limit: 1,
  });
  return idOf(payments.data[0]?.invoice);
}
