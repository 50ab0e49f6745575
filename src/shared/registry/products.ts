import type { Database, Trx } from "../db/database.ts";
import { Permanent } from "../queue/reasons.ts";

/** The product and the fills that one unit of a Stripe price buys. */
export interface PricedProduct {
  productId: number;
  /** 0 for a product that is not shipped. */
  fillsPerCharge: number;
}

/** The product of a Stripe price. A price without a product is for a person. */
export async function productByPrice(db: Database | Trx, price: string): Promise<PricedProduct> {
  const row = await db
    .selectFrom("registry.product_keys")
    .select(["product_id", "fills_per_charge"])
    .where("system", "=", "stripe_price")
    .where("key", "=", price)
    .executeTakeFirst();
  if (!row) throw new Permanent("UNKNOWN_PRODUCT", { system: "stripe_price", key: price });
  return { productId: row.product_id, fillsPerCharge: row.fills_per_charge ?? 0 };
}

/** The RxNorm codes under which a product is prescribed. */
export async function rxnormCodesOf(db: Database | Trx, productId: number): Promise<Set<string>> {
  const rows = await db
    .selectFrom("registry.product_keys")
    .select("key")
    .where("system", "=", "rxnorm")
    .where("product_id", "=", productId)
    .execute();
  return new Set(rows.map((row) => row.key));
}
