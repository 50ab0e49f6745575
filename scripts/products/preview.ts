import { dayIn } from "../../src/shared/day.ts";
import type { Database } from "../../src/shared/db/database.ts";
import { judgePrices, judgeSubscription, type MoveFinding } from "../../src/shared/products/judge.ts";
import type { RegisteredPrice } from "../../src/shared/products/retirement.ts";
import { isPaused, standingOf } from "../../src/shared/subscriptions/standing.ts";
import type { StripeClient, StripePrice } from "../../src/shared/vendors/stripe/client.ts";
import { counted, textTable } from "./table.ts";

/** One subscription item of the old price. */
interface Item {
  subscription: string;
  item: string;
  status: string;
  paused: boolean;
  quantity: number | null;
  nextBillingDate: string;
  /** Null: it would be moved. */
  finding: MoveFinding | null;
}

interface Preview {
  from: StripePrice;
  to: StripePrice;
  subscriptions: Item[];
}

/**
 * Asks Stripe for the old price's subscribers, and judges each move. Changes nothing.
 * @param timeZone of the days of the next charges
 */
export async function makePreview(
  stripe: StripeClient,
  { from, to }: { from: string; to: string },
  timeZone: string,
): Promise<Preview> {
  const [oldPrice, newPrice] = [await stripe.getPrice(from), await stripe.getPrice(to)];
  const ofPrices = judgePrices(oldPrice, newPrice);
  const subscriptions: Item[] = [];
  let cursor: string | null = null;
  do {
    const page = await stripe.listSubscriptions({ priceId: from, cursor });
    for (const one of page.entries) {
      for (const { item, finding } of judgeSubscription(one, { from, to })) {
        subscriptions.push({
          subscription: one.id,
          item: item.id,
          status: one.endsAt ? `${one.status}, ends` : one.status,
          paused: isPaused(standingOf(one)),
          quantity: item.quantity,
          nextBillingDate: dayIn(item.periodEnd, timeZone),
          finding: ofPrices ?? finding,
        });
      }
    }
    cursor = page.next;
  } while (cursor !== null);
  return { from: oldPrice, to: newPrice, subscriptions };
}

/** The catalogue's sentences, by code. */
export async function readMeanings(db: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom("tracker.move_findings").selectAll().execute();
  return new Map(rows.map((row) => [row.finding, row.meaning]));
}

/** @param limit the most moves to show; the counts are always of all */
export function previewText(
  preview: Preview,
  { from, to, limit }: { from: RegisteredPrice; to: RegisteredPrice; limit: number | null },
  meanings: ReadonlyMap<string, string>,
): string {
  const moving = preview.subscriptions.filter(({ finding }) => finding === null);
  const staying = preview.subscriptions.filter(({ finding }) => finding !== null);
  const moved = limit === null ? moving : moving.slice(0, limit);
  const rows = [...moved, ...staying];
  const parts = [
    `${from.product}\n  from ${priceText(preview.from, from)}\n  to   ${priceText(preview.to, to)}`,
    differenceText(preview),
    rows.length === 0 ? "Nobody has the old price at Stripe." : textTable(
      ["subscription", "status", "paused", "next billing date", "would be"],
      rows.map((one) => [
        one.subscription,
        one.status,
        one.paused ? "yes" : "",
        one.nextBillingDate,
        one.finding === null ? "moved" : `not moved: ${one.finding}`,
      ]),
    ),
    findingsText(staying.map(({ finding }) => finding ?? ""), meanings),
    `${counted(moved.length, "subscription")} would be moved` +
    `${moved.length < moving.length ? ` of ${moving.length}` : ""}, ${staying.length} would stay.`,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

/** Each code once, with its number and its sentence. */
export function findingsText(findings: readonly string[], meanings: ReadonlyMap<string, string>): string {
  return [...Map.groupBy(findings, (finding) => finding)]
    .map(([finding, all]) => `${finding} (${all.length}): ${meanings.get(finding) ?? ""}`)
    .join("\n");
}

function priceText(price: StripePrice, registered: RegisteredPrice): string {
  const { interval, intervalCount } = price;
  const often = interval === null
    ? "once"
    : intervalCount === 1
    ? `every ${interval}`
    : `every ${intervalCount} ${interval}s`;
  return `${price.id}: ${amountText(price.amount, price.currency)} ${often}, ${
    counted(registered.fillsPerCharge, "fill")
  } a charge${price.active ? "" : ", archived at Stripe"}`;
}

function differenceText({ from, to }: Preview): string {
  if (from.amount === null || to.amount === null || from.currency !== to.currency) return "";
  const more = to.amount - from.amount;
  if (more === 0) return "The amount stays the same.";
  return `From their next billing date on they pay ${amountText(Math.abs(more), to.currency)} ${
    more > 0 ? "more" : "less"
  } a charge and unit. Tell them before.`;
}

function amountText(amount: number | null, currency: string): string {
  if (amount === null) return `an amount in tiers (${currency})`;
  const format = new Intl.NumberFormat("en-US", { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amount / 10 ** digits);
}
