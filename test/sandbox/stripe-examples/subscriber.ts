import type { BillingMode, Subscription } from "../../../scripts/sandbox/stripe/objects.ts";
import type { SubscribeRequest } from "../../../scripts/sandbox/stripe/subscriptions.ts";
import type { openExample } from "./example.ts";

type Stripe = ReturnType<typeof openExample>;

export const seconds = (date: string) => Date.parse(date) / 1000;
/** The day of a time at Stripe. */
export const day = (at: number | null | undefined) =>
  at === null || at === undefined ? null : new Date(at * 1000).toISOString().slice(0, 10);

/** A subscription of a day, to monthly prices of these amounts (cents), and questions about its bills. */
export function subscriber(
  stripe: Stripe,
  date: string,
  amounts: number[],
  { mode = "flexible", ...terms }: Partial<SubscribeRequest> & { mode?: BillingMode } = {},
) {
  const { clock, sandbox, customerId, prices } = stripe;
  const goTo = (date: string) => void (clock.now = new Date(date));
  goTo(date);
  const ids = prices(...amounts);
  const subscription = sandbox.subscribe({
    customerId,
    billingMode: mode,
    ...terms,
    priceIds: terms.items ?? ids.map((price) => ({ price, quantity: 1 })),
  });
  const { state } = sandbox;
  const invoices = () => [...state.invoices.values()];
  const latest = () => state.invoices.get(subscription.latest_invoice ?? "");
  return {
    id: subscription.id,
    subscription,
    goTo,
    invoices,
    latest,
    priceIds: ids,
    /** The id of the item at this place. */
    item: (place = 0) => subscription.items.data[place]?.id ?? "",
    amounts: (invoice = latest()) => invoice?.lines.data.map(({ amount }) => amount) ?? [],
    spans: (invoice = latest()) =>
      invoice?.lines.data.map(({ period }) => `${day(period.start)} to ${day(period.end)}`) ?? [],
    pending: () =>
      [...state.invoiceItems.values()].filter(({ invoice }) => invoice === null).map(({ amount }) => amount),
    periods: () => periodsOf(subscription),
  };
}

function periodsOf({ items }: Subscription): string[] {
  return items.data.map((one) => `${day(one.current_period_start)} to ${day(one.current_period_end)}`);
}
