import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";

/**
 * A product of which both have an open renewal, or whose open renewal cannot go over; undefined where none stands in
 * the way of a merge.
 */
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
 * Two rows turn out to be one person: whatever the first has goes over to the second, and the first stays as a sign
 * that points there. The caller holds the lock on keys and has seen that no system knows both.
 */
export async function mergeRows(trx: Trx, from: number, into: number): Promise<void> {
  await sql`select registry.merge_rows(${from}, ${into})`.execute(trx);
}
