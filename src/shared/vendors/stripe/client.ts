import Stripe from "stripe";
import { CALL_TIMEOUT_MS, type Fetch } from "../call.ts";
import { callStripe } from "./errors.ts";
import { idOf, toChargeState, toCreditNote, toInvoice, toSubscription } from "./reduce.ts";
import type { StripeCharge, StripeClient, StripeInvoiceCharge } from "./types.ts";

export type * from "./types.ts";

/** Stripe's largest page. */
const PAGE_SIZE = 100;

/** What {@link makeStripeClient} needs. `baseUrl` (e.g. `http://127.0.0.1:4310`) points it at a sandbox. */
export interface StripeClientConfig {
  apiKey: string;
  fetch: Fetch;
  baseUrl?: string;
}

/**
 * Stripe at the API version the SDK pins.
 * Every method throws a `VendorError` of the role `stripe`; an unknown id is `refused` with status 404 and
 * code `resource_missing`. Nothing is retried here: the queue does that.
 */
export function makeStripeClient({ apiKey, fetch, baseUrl }: StripeClientConfig): StripeClient {
  const stripe = new Stripe(apiKey, {
    httpClient: Stripe.createFetchHttpClient(fetch),
    maxNetworkRetries: 0,
    timeout: CALL_TIMEOUT_MS,
    telemetry: false,
    ...addressOf(baseUrl),
  });

  return {
    getInvoice: (id) =>
      callStripe("get invoice", async () => {
        const invoice = await stripe.invoices.retrieve(id);
        const lines = await whole(
          invoice.lines,
          () => stripe.invoices.listLineItems(id, { limit: PAGE_SIZE }),
        );
        return toInvoice(invoice, lines);
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
      callStripe("get charge", async (): Promise<StripeCharge> => {
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

    getSubscription: (id) =>
      callStripe("get subscription", async () => {
        const subscription = await stripe.subscriptions.retrieve(id);
        const items = await whole(
          subscription.items,
          () => stripe.subscriptionItems.list({ subscription: id, limit: PAGE_SIZE }),
        );
        return toSubscription(subscription, items);
      }),

    listSubscriptions: ({ customerId, cursor }) =>
      callStripe("list subscriptions", async () => {
        const page = await listPage(cursor ?? null, (at) =>
          stripe.subscriptions.list({
            limit: PAGE_SIZE,
            ...(customerId ? { customer: customerId } : {}),
            ...at,
          }));
        const entries = [];
        for (const subscription of page.data) {
          const items = await whole(
            subscription.items,
            () => stripe.subscriptionItems.list({ subscription: subscription.id, limit: PAGE_SIZE }),
          );
          entries.push(toSubscription(subscription, items));
        }
        const last = page.data.at(-1);
        return { entries, next: page.has_more && last ? `${last.created}:${last.id}` : null };
      }),

    pauseCollection: (id, metadata) =>
      callStripe("pause collection", async () => {
        await stripe.subscriptions.update(id, { pause_collection: { behavior: "void" }, metadata });
      }),

    resumeCollection: (id, metadata) =>
      callStripe("resume collection", async () => {
        await stripe.subscriptions.update(id, { pause_collection: "", metadata });
      }),

    listCreditNotes: (invoiceId) =>
      callStripe("list credit notes", async () => {
        const notes = [];
        for await (const note of stripe.creditNotes.list({ invoice: invoiceId, limit: PAGE_SIZE })) {
          const lines = await whole(
            note.lines,
            () => stripe.creditNotes.listLineItems(note.id, { limit: PAGE_SIZE }),
          );
          notes.push(toCreditNote(note, lines));
        }
        return notes;
      }),
  };
}

/**
 * The page after `cursor` (`<created>:<id>`). A subscription that ended since is in no list any more, and Stripe may then
 * refuse it as a cursor: the page begins with those made in the same second, so that rather one comes twice than none.
 */
async function listPage<T>(
  cursor: string | null,
  list: (at: { starting_after?: string; created?: { lte: number } }) => Promise<Stripe.ApiList<T>>,
): Promise<Stripe.ApiList<T>> {
  if (cursor === null) return await list({});
  const [created = "", id = ""] = cursor.split(":");
  try {
    return await list({ starting_after: id });
  } catch (error) {
    const isGone = error instanceof Stripe.errors.StripeInvalidRequestError &&
      error.code === "resource_missing";
    if (!isGone) throw error;
    return await list({ created: { lte: Number(created) } });
  }
}

/** All of a list that came inside an object: such a list holds only the first few. */
async function whole<T>(inline: Stripe.ApiList<T>, list: () => AsyncIterable<T>): Promise<T[]> {
  if (!inline.has_more) return inline.data;
  const all: T[] = [];
  for await (const entry of list()) all.push(entry);
  return all;
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

function addressOf(baseUrl: string | undefined): Stripe.StripeConfig {
  if (baseUrl === undefined) return {};
  const { protocol, hostname, port } = new URL(baseUrl);
  return protocol === "http:"
    ? { protocol: "http", host: hostname, port: port || "80" }
    : { protocol: "https", host: hostname, port: port || "443" };
}
