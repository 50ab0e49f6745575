import { sql } from "kysely";
import { beginRetirement, MOVES_PER_SECOND } from "../../src/shared/products/retirement.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import { stopped } from "../support/act.ts";
import type { World } from "../support/world.ts";

export const OLD = "price_morning_month";
export const NEW = "price_morning_month_2";
/** Of the same product and amount of drug, charged in another rhythm. */
export const OTHER_RHYTHM = "price_morning_weeks";

/** The clinic's shop, with two more prices for its morning tablets. */
export async function openShop(world: World): Promise<void> {
  await world.clinic.openShop();
  world.vendors.stripe.addPrice({ id: NEW, interval: "month", intervalCount: 1, amount: 5200 });
  world.vendors.stripe.addPrice({ id: OTHER_RHYTHM, interval: "week", intervalCount: 4, amount: 4900 });
  await register(world, NEW);
  await register(world, OTHER_RHYTHM);
}

/** Adds a price to the morning tablets, as a person would. */
export async function register(world: World, key: string): Promise<void> {
  await sql`
    insert into registry.product_keys (system, key, product_id, fills_per_charge)
    select 'stripe_price', ${key}, id, 1 from registry.products where name = 'Morning tablets'
  `.execute(world.db);
}

/** A customer at Stripe alone, who subscribes. */
export function subscriber(
  world: World,
  prices: string | string[] = OLD,
  more: { quantity?: number; trialDays?: number } = {},
) {
  const { stripe } = world.vendors;
  const { quantity = 1, trialDays } = more;
  return stripe.subscribe({
    customerId: stripe.importCustomer({}).customer.id,
    priceIds: [prices].flat().map((price) => ({ price, quantity })),
    ...(trialDays === undefined ? {} : { trialDays }),
  });
}

/** What `npm run product:retire -- --apply` does before it looks on. */
export async function retire(
  world: World,
  more: { from?: string; to?: string; atMost?: number; movesPerSecond?: number } = {},
) {
  return await beginRetirement(world.db, {
    from: more.from ?? OLD,
    to: more.to ?? NEW,
    atMost: more.atMost ?? null,
    movesPerSecond: more.movesPerSecond ?? MOVES_PER_SECOND,
  });
}

export async function moves(world: World) {
  return await world.db.selectFrom("tracker.price_moves").selectAll().orderBy("id").execute();
}

/** Asks for a count now, as a person would. */
export async function countNow(world: World, step: "product.count_stripe" | "product.count_pharmacy") {
  const vendor = step === "product.count_stripe" ? "stripe" as const : "pharmacy" as const;
  const [id] = await insertTasks(world.db, [{ step, vendor, key: crypto.randomUUID(), data: {} }]);
  return id ?? 0;
}

/** `key: [in use, paused]` of the last whole count. */
export async function frequency(world: World): Promise<Record<string, unknown>> {
  const rows = await world.db.selectFrom("ops.product_frequency")
    .select(["key", "state", "in_use", "paused"]).execute();
  return Object.fromEntries(rows.map((row) => [row.key, [row.state, row.in_use, row.paused]]));
}

/** Everything at Stripe that has to do with money. */
export function money(world: World): unknown {
  const { invoices, charges, paymentIntents, invoiceItems } = world.vendors.stripe.state;
  return structuredClone({
    invoices: [...invoices.values()],
    charges: [...charges.values()],
    intents: [...paymentIntents.values()],
    pending: [...invoiceItems.values()],
  });
}

/** What of our own steps is in front of a person. The subscribers are known to Stripe alone, so their orders ask too. */
export async function asked(world: World) {
  return (await stopped(world)).filter(({ step }) => step.startsWith("product."));
}
