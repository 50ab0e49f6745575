import { seeded } from "../../../scripts/sandbox/random.ts";
import { makeStripeSandbox } from "../../../scripts/sandbox/stripe.ts";
import type { Invoice } from "../../../scripts/sandbox/stripe/objects.ts";

/** A worked example of Stripe's documents, which the sandbox must answer to the cent. */
export interface Example {
  /** The page's title and address. */
  title: string;
  url: string;
  /** The case, in our words. */
  says: string;
  /** Amounts in cents, as the page gives them. `says` marks a price of our own, where the page gives none. */
  expected: Readonly<Record<string, unknown>>;
  /** Plays the case and gives what `expected` names. */
  play(stripe: ExampleStripe): Record<string, unknown>;
}

type ExampleStripe = ReturnType<typeof openExample>;

/** A sandbox with a clock, and one customer with a card. */
export function openExample() {
  const clock = { now: new Date("2027-01-01T00:00:00.000Z") };
  const sandbox = makeStripeSandbox({
    now: () => clock.now,
    random: seeded(11),
    fetch: () => Promise.resolve(new Response("")),
    webhook: { url: "http://endpoint.test/stripe", secret: "whsec_test" },
  });
  const { id: customerId } = sandbox.createCustomer({ email: "person@example.test" });
  /** Monthly prices of these amounts, in order. */
  const prices = (...amounts: number[]) =>
    amounts.map((amount, i) =>
      sandbox.addPrice({ id: `price_${i}_${amount}`, interval: "month", intervalCount: 1, amount }).id
    );
  /** A subscription with a line of each amount (one unit, unless `quantity` says more), paid or left open. */
  function bill(
    amounts: number[],
    { paid = true, quantity = 1, ...terms }: {
      paid?: boolean;
      quantity?: number;
      couponIds?: string[];
      taxRateIds?: string[];
    } = {},
  ): Invoice {
    const subscription = sandbox.subscribe({
      customerId,
      priceIds: prices(...amounts).map((price) => ({ price, quantity })),
      paymentBehavior: paid ? "error_if_incomplete" : "default_incomplete",
      ...terms,
    });
    const invoice = sandbox.state.invoices.get(subscription.latest_invoice ?? "");
    if (!invoice) throw new Error("the subscription has no invoice");
    return invoice;
  }
  /** The id of the invoice's line at this place. */
  const line = (invoice: Invoice, place = 0) => invoice.lines.data[place]?.id ?? "";
  return { clock, sandbox, customerId, prices, bill, line };
}
