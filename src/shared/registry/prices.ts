import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";

/** The price at which a customer's subscription to a product begins. */
interface PriceToSell {
  priceId: string;
  /** False for a retired product, and for a retired price without a replacement. */
  isSold: boolean;
}

/**
 * The customer's choice for the product, or else the product's default, or else null: it is sold by Checkout only. A
 * retired price gives way to its replacement. No other function chooses a price for a customer.
 */
export async function priceToSell(
  db: Database | Trx,
  customerId: number,
  productId: number,
): Promise<PriceToSell | null> {
  const row = await db
    .selectFrom("registry.product_keys as price")
    .innerJoin("registry.products as product", "product.id", "price.product_id")
    .leftJoin(
      "registry.price_choices as choice",
      (join) =>
        join.onRef("choice.product_id", "=", "price.product_id").onRef("choice.price", "=", "price.key")
          .on("choice.customer_id", "=", customerId),
    )
    .select(["price.key", "price.status as price_status", "product.status as product_status"])
    .where("price.system", "=", "stripe_price")
    .where("price.product_id", "=", productId)
    .where((eb) => eb.or([eb("choice.customer_id", "is not", null), eb("price.is_default", "=", true)]))
    .orderBy((eb) => eb("choice.customer_id", "is not", null), "desc")
    .executeTakeFirst();
  if (!row) return null;
  const priceId = row.price_status === "active" ? row.key : await replacementOf(db, row.key);
  return { priceId: priceId ?? row.key, isSold: row.product_status === "active" && priceId !== null };
}

/** The price that is sold instead of a retired one, over any number of steps; null where there is none. */
async function replacementOf(db: Database | Trx, price: string): Promise<string | null> {
  const { rows: [last] } = await sql<{ key: string; status: string }>`
    with recursive chain as (
      select product_keys.key, product_keys.status, product_keys.replaced_by, 1 as step
      from registry.product_keys where product_keys.system = 'stripe_price' and product_keys.key = ${price}
      union all
      select next.key, next.status, next.replaced_by, chain.step + 1
      from chain join registry.product_keys as next on next.system = 'stripe_price' and next.key = chain.replaced_by
    )
    select chain.key, chain.status from chain order by chain.step desc limit 1
  `.execute(db);
  return last?.status === "active" ? last.key : null;
}

/** The products of these keys of a system. A key without a product is not in the map. */
export async function productsByKey(
  db: Database | Trx,
  system: "stripe_price" | "rxnorm",
  keys: Iterable<string>,
): Promise<Map<string, number>> {
  const wanted = [...new Set(keys)];
  if (wanted.length === 0) return new Map();
  const rows = await db
    .selectFrom("registry.product_keys")
    .select(["key", "product_id"])
    .where("system", "=", system)
    .where("key", "in", wanted)
    .execute();
  return new Map(rows.map((row) => [row.key, row.product_id]));
}
