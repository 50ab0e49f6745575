import type { Database } from "../../src/shared/db/database.ts";
import type { LocalVendors } from "../sandbox/vendors.ts";

/** What is sold. `lead`: how many days before the end a customer is asked to renew. */
export const PRODUCTS = [
  { name: "Morning tablets", rxnorm: "2000001", treatment: "med_2001", lead: 30 },
  { name: "Morning tablets, stronger", rxnorm: "2000002", treatment: "med_2002", lead: 30 },
  { name: "Weekly pen", rxnorm: "2000003", treatment: "med_2003", lead: 40 },
  { name: "Weekly pen, next dose", rxnorm: "2000004", treatment: "med_2004", lead: 40 },
  { name: "Evening tablets", rxnorm: "2000005", treatment: "med_2005", lead: 21 },
] as const;
export type ProductName = (typeof PRODUCTS)[number]["name"];

/** A charge of each pays for one fill that lasts `daysSupply`. */
export const PRICES = [
  {
    id: "price_morning_month",
    product: "Morning tablets",
    interval: "month",
    count: 1,
    amount: 4900,
    daysSupply: 30,
  },
  {
    id: "price_stronger_month",
    product: "Morning tablets, stronger",
    interval: "month",
    count: 1,
    amount: 5900,
    daysSupply: 30,
  },
  {
    id: "price_pen_4_weeks",
    product: "Weekly pen",
    interval: "week",
    count: 4,
    amount: 19900,
    daysSupply: 28,
  },
  {
    id: "price_next_pen_4_weeks",
    product: "Weekly pen, next dose",
    interval: "week",
    count: 4,
    amount: 24900,
    daysSupply: 28,
  },
  {
    id: "price_evening_month",
    product: "Evening tablets",
    interval: "month",
    count: 1,
    amount: 2900,
    daysSupply: 30,
  },
  {
    id: "price_evening_quarter",
    product: "Evening tablets",
    interval: "month",
    count: 3,
    amount: 7900,
    daysSupply: 90,
  },
] as const satisfies readonly { product: ProductName; [more: string]: string | number }[];
export type PriceId = (typeof PRICES)[number]["id"];

/** The other dose. */
export const SWITCHES: Readonly<Partial<Record<PriceId, PriceId>>> = {
  price_morning_month: "price_stronger_month",
  price_stronger_month: "price_morning_month",
  price_pen_4_weeks: "price_next_pen_4_weeks",
  price_next_pen_4_weeks: "price_pen_4_weeks",
};

export function priceOf(id: PriceId) {
  const price = PRICES.find((one) => one.id === id);
  if (!price) throw new Error(`no price ${id}`);
  return price;
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
  for (const { id, interval, count, amount } of PRICES) {
    stripe.addPrice({ id, interval, intervalCount: count, amount });
  }
}
