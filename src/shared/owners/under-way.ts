import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { Difference } from "./mirrors.ts";
import { type MirroredFact, OWNERS, type PropagationStep, setterOf } from "./owners.ts";

/** The keys by which news may name a customer. */
export interface NamedBy {
  customerId: number;
  keys: readonly string[];
}

/**
 * What of these differences no waiting task will put right: neither news of the fact, nor its propagation. What is
 * under way is no drift, and its task cannot be lost. News is found by any of the customer's keys, whichever its step keeps.
 */
export async function notUnderWay(
  db: Database,
  fact: MirroredFact,
  differences: readonly Difference[],
  { customerId, keys }: NamedBy,
): Promise<Difference[]> {
  if (differences.length === 0) return [];
  const leading = [...OWNERS[fact].news, OWNERS[fact].propagatedBy];
  const setters = new Set(differences.map(({ system, attribute }) => setterOf(fact, system, attribute)));
  const { rows } = await sql<{ step: string }>`
    select distinct tasks.step from clockwork.tasks
    where tasks.step = any (${[...leading, ...setters]}::text[]) and tasks.status in ('PENDING', 'QUEUED')
      and (tasks.customer_id = ${customerId} or exists (
        select from jsonb_each_text(tasks.data) as named
        where named.value = any (${[...keys]}::text[])
          or (named.key = 'customer_id' and named.value = ${String(customerId)})))`.execute(db);
  const waiting = new Set(rows.map(({ step }) => step));
  if (leading.some((step) => waiting.has(step))) return [];
  return differences.filter(({ system, attribute }) => !waiting.has(setterOf(fact, system, attribute)));
}

/**
 * True when a person has the repair already: it stopped and waits for them, or they dropped it and what differs is still
 * the same.
 */
export async function isLeftToAPerson(
  trx: Trx,
  fact: MirroredFact,
  step: PropagationStep,
  customerId: number,
): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from clockwork.tasks
      where tasks.customer_id = ${customerId} and tasks.step = ${step}
        and (tasks.status = 'MANUAL_INTERVENTION' or (tasks.status = 'CANCELLED' and exists (
          select from tracker.drift
          where drift.customer_id = ${customerId} and drift.fact = ${fact} and drift.repaired_at is null
          having max(drift.changed_at) <= tasks.created_at))))
      as found`.execute(trx);
  return rows[0]?.found === true;
}
