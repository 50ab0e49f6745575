import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { type MirroredFact, OWNERS } from "./owners.ts";

/** The keys by which news may name a customer. */
export interface NamedBy {
  customerId: number;
  keys: readonly string[];
}

/**
 * True while news of a fact, or its propagation, waits to be worked off: what differs then is a change on its way and no
 * drift. News is found by any of the customer's keys, whichever its step keeps.
 */
export async function isUnderWay(
  db: Database | Trx,
  fact: MirroredFact,
  { customerId, keys }: NamedBy,
): Promise<boolean> {
  const steps = [...OWNERS[fact].news, OWNERS[fact].propagatedBy];
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from clockwork.tasks
      where tasks.step = any (${steps}::text[]) and tasks.status in ('PENDING', 'QUEUED')
        and (tasks.customer_id = ${customerId} or exists (
          select from jsonb_each_text(tasks.data) as named
          where named.value = any (${[...keys]}::text[]) or (named.key = 'customer_id' and named.value = ${
    String(customerId)
  }))))
      as found`.execute(db);
  return rows[0]?.found === true;
}

/**
 * True when a person has the repair already: it stopped and waits for them, or they dropped it and what differs is still
 * the same.
 */
export async function isLeftToAPerson(trx: Trx, fact: MirroredFact, customerId: number): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from clockwork.tasks
      where tasks.customer_id = ${customerId} and tasks.step = ${OWNERS[fact].propagatedBy}
        and (tasks.status = 'MANUAL_INTERVENTION' or (tasks.status = 'CANCELLED' and exists (
          select from tracker.drift
          where drift.customer_id = ${customerId} and drift.fact = ${fact} and drift.repaired_at is null
          having max(drift.changed_at) <= tasks.created_at))))
      as found`.execute(trx);
  return rows[0]?.found === true;
}
