import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";

/** The product whose open renewals keep two customers from being merged; undefined where there is none. */
export async function collidingRenewal(
  db: Database | Trx,
  from: number,
  into: number,
): Promise<number | undefined> {
  const { rows } = await sql<{ product: number | null }>`
    select registry.colliding_renewal(${from}, ${into}) as product`.execute(db);
  return rows[0]?.product ?? undefined;
}

/**
 * Merges the first row into the second, which gets everything of the first. The first stays, and points to the second.
 * The caller has called `lockKeys`, and has checked that no system knows both.
 */
export async function mergeRows(trx: Trx, from: number, into: number): Promise<void> {
  await sql`select registry.merge_rows(${from}, ${into})`.execute(trx);
}
