import type { Database, Trx } from "../db/database.ts";

/** The price at which a customer's subscription to a product begins. */
export interface PriceToSell {
  priceId: string;
  /** False for a product that is retired. */
  isSold: boolean;
}

/**
 * What the customer chose for the product, else its default; null when neither says: then the product is sold by
 * Checkout only. The one place where a price is chosen for somebody.
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
    .select(["price.key", "product.status"])
    .where("price.system", "=", "stripe_price")
    .where("price.product_id", "=", productId)
    .where((eb) => eb.or([eb("choice.customer_id", "is not", null), eb("price.is_default", "=", true)]))
    .orderBy((eb) => eb("choice.customer_id", "is not", null), "desc")
    .executeTakeFirst();
  return row ? { priceId: row.key, isSold: row.status === "active" } : null;
}

/** The products of these keys of a system; a key that nobody registered is not in the map. */
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
