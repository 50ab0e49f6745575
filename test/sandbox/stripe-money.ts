import { openStripe } from "../vendors/stripe-setup.ts";

/** A Stripe with one paid invoice of 49 USD, and the events that an act sends, by type. */
export async function openPaid() {
  const stripe = await openStripe();
  const { sandbox, received, subscribe } = stripe;
  const subscription = subscribe();
  const invoiceId = subscription.latest_invoice ?? "";
  /** The charge of an invoice. */
  const chargeOf = (id: string) => sandbox.state.charges.get(sandbox.invoiceChargeId(id) ?? "");
  const charge = chargeOf(invoiceId);
  const invoice = sandbox.state.invoices.get(invoiceId);
  if (!charge || !invoice) throw new Error("the first invoice is not paid");
  /** Runs `act` and gives the types of its events, in order. */
  async function sent(act: () => unknown): Promise<string[]> {
    await sandbox.outbox.flush(1);
    const from = received.length;
    await act();
    await sandbox.outbox.flush(1);
    return received.slice(from).map(({ type }) => type);
  }
  return { ...stripe, subscription, invoice, charge, chargeOf, sent };
}
