import type { Database, Trx } from "../db/database.ts";
import { dayIn } from "../day.ts";
import { Permanent, type Reason } from "../queue/reasons.ts";
import { pharmacyZone } from "../queue/settings.ts";
import type { StepContext } from "../queue/step.ts";
import { productsByKey } from "../registry/prices.ts";
import type { StripeInvoiceLine, StripeSubscription } from "../vendors/stripe/client.ts";
import { type Case, TREATMENTS } from "./cases.ts";
import type { Slot } from "./credits.ts";
import { formatMoney } from "./format-money.ts";
import { invoiceStateOf, readInvoice } from "./invoices.ts";
import { keptOf } from "./kept.ts";
import { type LineFills, moneyCaseOf, type MoneyFacts } from "./money.ts";
import { hasShipped, isWithPharmacy, type Order } from "./orders.ts";
import { wishCaseOf } from "./wish.ts";

/** Whether a fill is still paid for and still wanted, by its owner alone. */
export interface Verdict {
  case: Case;
  /** The facts of the case, as text without a medical fact: an answer about them holds until they change. */
  facts: string;
  /** Of the sentence that a person reads. */
  details: Reason["details"];
}

/** The owner's facts about the fills of one invoice. */
interface InvoiceFacts extends MoneyFacts {
  subscriptions: ReadonlyMap<string, StripeSubscription>;
  /** The pharmacy's. */
  timeZone: string;
}

/** Orders of one invoice, in the order of their fills. */
export async function ordersOf(db: Database | Trx, invoiceId: string): Promise<Order[]> {
  return await db.selectFrom("tracker.orders").selectAll().where("invoice_id", "=", invoiceId).orderBy("id")
    .execute();
}

/**
 * Judges orders of one invoice, from Stripe alone. This is the one place that says whether a fill ships.
 * @param all every order of the invoice
 * @param orders the ones that are judged
 * @throws {Permanent} for an invoice, or a line of it, that Stripe does not have
 */
export async function judgeOrders(
  ctx: StepContext,
  all: readonly Order[],
  orders: readonly Order[] = all,
): Promise<Map<number, Verdict>> {
  const [first] = orders;
  if (!first) return new Map();
  const facts = await readFacts(ctx, first.invoice_id, orders);
  return new Map(orders.map((order) => [order.id, judge(order, fillsOf(order, all), facts)]));
}

function judge(order: Order, fills: LineFills, facts: InvoiceFacts): Verdict {
  const line = facts.invoice.lines.find(({ id }) => id === order.invoice_line_id);
  if (!line) {
    throw new Permanent("INVALID_DATA", {
      problem: `invoice ${order.invoice_id} has no line ${order.invoice_line_id}`,
    });
  }
  const slot: Slot = { line, productId: order.product_id, dueOn: order.fill_on };
  const subscription = facts.subscriptions.get(order.subscription_id ?? "");
  const byMoney = moneyCaseOf(slot, fills, facts);
  // A line that no subscription asks for is wanted as long as it is paid for.
  const byWish = subscription ? wishCaseOf(slot, subscription, facts.productOf) : "FINE";
  const isByWish = WEIGHT[TREATMENTS[byWish].notSent] > WEIGHT[TREATMENTS[byMoney].notSent];
  return isByWish
    ? { case: byWish, ...byWishOf(byWish, line, subscription, facts.timeZone) }
    : { case: byMoney, ...byMoneyOf(facts) };
}

/** Of the money and the wish, the one that speaks louder decides. */
const WEIGHT = { ships: 0, waits: 1, held: 2, "called off": 3 } as const;

function byMoneyOf({ invoice, kept: { total, kept, disputed } }: InvoiceFacts): Omit<Verdict, "case"> {
  const money = (amount: number) => formatMoney(amount, invoice.currency);
  return {
    facts: `kept ${kept}, disputed ${disputed}`,
    details: { back: money(total - kept), disputed: money(disputed), total: money(total) },
  };
}

function byWishOf(
  found: Case,
  line: StripeInvoiceLine,
  subscription: StripeSubscription | undefined,
  timeZone: string,
): Omit<Verdict, "case"> {
  const { id = "-", status = "gone", endsAt, items = [] } = subscription ?? {};
  const until = endsAt ? dayIn(endsAt, timeZone) : "-";
  const bought = `${line.quantity ?? 0} of ${line.priceId ?? "-"}`;
  const now = items.map(({ priceId, quantity }) => `${quantity ?? 0} of ${priceId}`).toSorted().join(", ") ||
    "nothing";
  const details = { subscription: id, status, until, bought, now };
  return { details, facts: found === "PRODUCT_LEFT" ? `${bought}; ${now}` : `${status} until ${until}` };
}

/** The fills of the order's line, each once, whatever replaced it. */
function fillsOf({ invoice_line_id }: Order, all: readonly Order[]): LineFills {
  const ofLine = all.filter((one) => one.invoice_line_id === invoice_line_id);
  const numbers = new Set(ofLine.map(({ fill_number }) => fill_number));
  const sent = new Set(
    ofLine.filter((one) => isWithPharmacy(one.state) || hasShipped(one)).map(({ fill_number }) =>
      fill_number
    ),
  );
  return { all: numbers.size, notSent: numbers.size - sent.size };
}

async function readFacts(
  ctx: StepContext,
  invoiceId: string,
  orders: readonly Order[],
): Promise<InvoiceFacts> {
  const { stripe } = ctx.vendors;
  const invoice = await readInvoice(stripe, invoiceId);
  const kept = keptOf(invoice, await stripe.getGivenBack(invoiceId));
  const subscriptions = new Map<string, StripeSubscription>();
  const changes = invoice.customerId ? await stripe.listPendingItems(invoice.customerId) : [];
  for (const id of new Set(orders.flatMap(({ subscription_id }) => subscription_id ?? []))) {
    subscriptions.set(id, await stripe.getSubscription(id));
    const later = await stripe.listInvoices({ subscriptionId: id, since: invoice.createdAt });
    changes.push(...later.filter((one) => invoiceStateOf(one) !== "GIVEN_UP").flatMap(({ lines }) => lines));
  }
  const prorations = changes.filter(({ proration }) => proration);
  const prices = [
    ...prorations.flatMap(({ priceId }) => priceId ?? []),
    ...[...subscriptions.values()].flatMap(({ items }) => items.map(({ priceId }) => priceId)),
  ];
  const products = await productsByKey(ctx.deps.db, "stripe_price", prices);
  return {
    invoice,
    kept,
    changes: prorations,
    productOf: (priceId) => products.get(priceId ?? ""),
    subscriptions,
    timeZone: await pharmacyZone(ctx.deps.db),
  };
}
