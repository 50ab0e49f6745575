import type { Database } from "../../src/shared/db/database.ts";
import type { LocalVendors } from "../sandbox/vendors.ts";

/** The products. `lead`: the days before the end at which a customer is asked to renew. */
export const PRODUCTS = [
  { name: "Morning tablets", rxnorm: "2000001", treatment: "med_2001", lead: 30 },
  { name: "Morning tablets, stronger", rxnorm: "2000002", treatment: "med_2002", lead: 30 },
  { name: "Weekly pen", rxnorm: "2000003", treatment: "med_2003", lead: 40 },
  { name: "Weekly pen, next dose", rxnorm: "2000004", treatment: "med_2004", lead: 40 },
  { name: "Evening tablets", rxnorm: "2000005", treatment: "med_2005", lead: 21 },
] as const;
export type ProductName = (typeof PRODUCTS)[number]["name"];

/** A charge of each pays for one fill. */
export const PRICES = [
  { id: "price_morning_month", product: "Morning tablets", every: [1, "month"], amount: 4900 },
  { id: "price_stronger_month", product: "Morning tablets, stronger", every: [1, "month"], amount: 5900 },
  { id: "price_pen_4_weeks", product: "Weekly pen", every: [4, "week"], amount: 19900 },
  { id: "price_next_pen_4_weeks", product: "Weekly pen, next dose", every: [4, "week"], amount: 24900 },
  { id: "price_evening_month", product: "Evening tablets", every: [1, "month"], amount: 2900 },
  { id: "price_evening_quarter", product: "Evening tablets", every: [3, "month"], amount: 7900 },
] as const satisfies readonly {
  id: string;
  product: ProductName;
  every: readonly [number, "month" | "week"];
  amount: number;
}[];
export type PriceId = (typeof PRICES)[number]["id"];

/** The other dose. */
export const SWITCHES: Readonly<Partial<Record<PriceId, PriceId>>> = {
  price_morning_month: "price_stronger_month",
  price_stronger_month: "price_morning_month",
  price_pen_4_weeks: "price_next_pen_4_weeks",
  price_next_pen_4_weeks: "price_pen_4_weeks",
};

function priceOf(id: PriceId) {
  const price = PRICES.find((one) => one.id === id);
  if (!price) throw new Error(`no price ${id}`);
  return price;
}

/** The days for which one fill of a price lasts: 30 a month. */
export function daysSupplyOf(id: PriceId): number {
  const [count, unit] = priceOf(id).every;
  return count * (unit === "week" ? 7 : 30);
}

export function productOf(id: PriceId) {
  const { product } = priceOf(id);
  const found = PRODUCTS.find(({ name }) => name === product);
  if (!found) throw new Error(`no product ${product}`);
  return found;
}

/** Puts products and prices into the registry, and the prices to Stripe. */
export async function openShop(db: Database, { stripe }: LocalVendors): Promise<void> {
  for (const { name, rxnorm, treatment, lead } of PRODUCTS) {
    const { id } = await db.insertInto("registry.products").values({ name, renewal_lead_days: lead })
      .returning("id").executeTakeFirstOrThrow();
    const prices = PRICES.filter(({ product }) => product === name);
    await db.insertInto("registry.product_keys").values([
      { system: "rxnorm", key: rxnorm, product_id: id },
      { system: "pharmacy_treatment", key: treatment, product_id: id },
      ...prices.map((price) => ({
        system: "stripe_price" as const,
        key: price.id,
        product_id: id,
        fills_per_charge: 1,
      })),
    ]).execute();
  }
  for (const { id, every: [intervalCount, interval], amount } of PRICES) {
    stripe.addPrice({ id, interval, intervalCount, amount });
  }
}
