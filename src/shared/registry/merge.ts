import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { KEY_SYSTEMS, KEYS } from "./keys.ts";

/**
 * The tables whose rows go over to the one who stays. Renewals are apart (see {@link mergeRows}), and so are tasks: those
 * that a drain has in its hands are left, and follow by themselves. A test asks for every table that names a customer.
 */
export const REPOINTED = ["tracker.orders", "tracker.refills", "registry.former_keys"] as const;

/** A product of which both have an open renewal, or whose open renewal cannot go over; undefined where none stands in the way. */
export async function collidingRenewal(
  db: Database | Trx,
  from: number,
  into: number,
): Promise<number | undefined> {
  const { rows } = await sql<{ product_id: number }>`
    select moves.product_id from tracker.renewals as moves
    join tracker.renewals as stays on stays.customer_id = ${into} and stays.product_id = moves.product_id
    where moves.customer_id = ${from} and moves.closed_at is null
      and (stays.closed_at is null or (stays.prescription_id = moves.prescription_id and stays.cycle = moves.cycle))
    limit 1
  `.execute(db);
  return rows[0]?.product_id;
}

/**
 * Two rows turn out to be one person: whatever the first has goes over to the second, and the first stays as a sign
 * that points there. The caller holds the lock on keys and has seen that no system knows both.
 */
export async function mergeRows(trx: Trx, from: number, into: number): Promise<void> {
  // For update, which whoever is writing an order or a renewal of either waits for.
  const rows = await trx.selectFrom("registry.customers").selectAll().where("id", "in", [from, into])
    .orderBy("id").forUpdate().execute();
  const moves = rows.find(({ id }) => id === from);
  const stays = rows.find(({ id }) => id === into);
  if (!moves || !stays) throw new Error("a customer to merge is not there");
  const columns = KEY_SYSTEMS.map((system) => KEYS[system].column);
  await trx.updateTable("registry.customers").set({ merged_into: into }).where("merged_into", "=", from)
    .execute();
  await trx.updateTable("registry.customers")
    .set({ ...Object.fromEntries(columns.map((column) => [column, null])), merged_into: into, email: null })
    .where("id", "=", from)
    .execute();
  await trx.updateTable("registry.customers")
    .set({
      ...Object.fromEntries(columns.map((column) => [column, stays[column] ?? moves[column]])),
      email: stays.email ?? moves.email,
    })
    .where("id", "=", into)
    .execute();
  for (const table of REPOINTED) {
    await sql`update ${sql.table(table)} set customer_id = ${into} where customer_id = ${from}`.execute(trx);
  }
  // A closed one of the same prescription and cycle stays behind: it is history.
  await sql`
    update tracker.renewals as moves set customer_id = ${into}
    where moves.customer_id = ${from} and not exists (
      select from tracker.renewals as stays
      where stays.customer_id = ${into} and stays.product_id = moves.product_id
        and stays.prescription_id = moves.prescription_id and stays.cycle = moves.cycle)
  `.execute(trx);
  await sql`
    update clockwork.tasks set customer_id = ${into}
    where id in (select id from clockwork.tasks where customer_id = ${from} for update skip locked)
  `.execute(trx);
}
