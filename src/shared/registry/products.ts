import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { RegistryOneOff, RegistryOnSwitch } from "../db/types.ts";

/** What a Stripe price buys, as the registry has it. */
export interface PriceKey {
  productId: number;
  /** The fills that a charge of one unit pays for; 0 for a product that is not shipped. */
  fillsPerCharge: number;
  /** Whether it ships where it is free; null where nobody said. */
  shipsFree: boolean | null;
  /** The treatment of a switch that pays for no whole fill. */
  onSwitch: RegistryOnSwitch;
  /** The treatment of a line that no subscription asks for. */
  oneOff: RegistryOneOff;
}

/** The keys of these Stripe prices. A price without a product is not in the map. */
export async function keysOfPrices(
  db: Database | Trx,
  prices: readonly string[],
): Promise<Map<string, PriceKey>> {
  const rows = await db
    .selectFrom("registry.product_keys")
    .select(["key", "product_id", "fills_per_charge", "ships_free", "on_switch", "one_off"])
    .where("system", "=", "stripe_price")
    .where(sql<boolean>`key = any (${prices}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.key, {
    productId: row.product_id,
    fillsPerCharge: row.fills_per_charge ?? 0,
    shipsFree: row.ships_free,
    onSwitch: row.on_switch,
    oneOff: row.one_off,
  }]));
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
