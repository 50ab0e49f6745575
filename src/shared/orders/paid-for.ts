import { Permanent, reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { keysOfPrices } from "../registry/products.ts";
import type { StripeInvoice, StripeInvoiceLine, StripePrice } from "../vendors/stripe/client.ts";
import { decisionOn, type Question } from "./decisions.ts";
import { formatMoney } from "./format-money.ts";
import { LINE_QUESTIONS, type LineQuestion, paidForBy, type PricedLine } from "./lines.ts";

/** The fills that a line pays for. */
interface PaidLine {
  line: StripeInvoiceLine;
  productId: number;
  /** Null for a line that no subscription asks for. */
  subscriptionId: string | null;
  days: readonly Date[];
}

/** What the lines of a paid invoice pay for, and the questions that nobody has answered yet. */
export async function readPaidFor(
  ctx: StepContext,
  invoice: StripeInvoice,
): Promise<{ paid: PaidLine[]; asked: Question[] }> {
  const priced = await priceLines(ctx, invoice);
  const paid: PaidLine[] = [];
  const asked: Question[] = [];
  for (const one of priced) {
    const { line, key: { productId } } = one;
    const found = paidForBy(one, invoice, priced);
    const subscriptionId = line.subscriptionId ?? invoice.subscriptionId;
    if (!("case" in found)) {
      paid.push({ line, productId, subscriptionId, days: found.days });
      continue;
    }
    const question = questionAbout(found, one, invoice);
    const decision = await decisionOn(ctx.deps.db, question, aboutLine(question.data));
    if (decision === undefined) asked.push(question);
    if (decision === "ship") paid.push({ line, productId, subscriptionId, days: found.days });
  }
  return { paid, asked };
}

/** A line whose price the registry lacks stops the invoice, unless no subscription asks for it: then it is a fee. */
async function priceLines({ deps, vendors }: StepContext, invoice: StripeInvoice): Promise<PricedLine[]> {
  const prices = new Map<string, StripePrice>();
  const keys = await keysOfPrices(deps.db, invoice.lines.flatMap(({ priceId }) => priceId ?? []));
  const priced: PricedLine[] = [];
  for (const line of invoice.lines) {
    const { priceId } = line;
    const key = keys.get(priceId ?? "");
    const isOwed = line.isSubscriptionLine && line.amount >= 0 && line.quantity !== 0;
    if (!priceId || !key) {
      if (isOwed) {
        throw new Permanent("UNKNOWN_PRODUCT", { system: "stripe_price", key: priceId ?? "(none)" });
      }
      continue;
    }
    const price = prices.get(priceId) ?? (await vendors.stripe.getPrice(priceId));
    prices.set(priceId, price);
    priced.push({ line, price, key });
  }
  return priced;
}

function questionAbout(
  { case: found }: LineQuestion,
  { line, price }: PricedLine,
  invoice: StripeInvoice,
): Question {
  const { code, isOfPrice } = LINE_QUESTIONS[found];
  return {
    step: "order.decide",
    data: {
      invoice_id: invoice.id,
      case: found,
      ...(isOfPrice ? { price_id: price.id } : { line_id: line.id }),
    },
    person: reason(code, { price: price.id, amount: formatMoney(line.amount, invoice.currency) }),
    facts: isOfPrice ? price.id : `${line.amount} for ${line.quantity ?? "-"}`,
    invoiceId: invoice.id,
  };
}

/** By which an open question is the same, and an answer holds. */
export function aboutLine({ case: found, line_id, price_id }: Question["data"]) {
  return {
    case: found,
    ...(line_id === undefined ? {} : { line_id }),
    ...(price_id === undefined ? {} : { price_id }),
  };
}
