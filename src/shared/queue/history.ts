import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { matching, UNDER_WAY, type Which } from "./find.ts";
import type { StepName } from "./step-data.ts";

/** Counts the events of a source by their step: those that webhooks brought since a moment, or that tasks of ours found. */
export async function countEvents<Name extends StepName>(
  db: Database | Trx,
  source: string,
  origin: { since: Date } | { foundBy: Which<Name> },
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom("clockwork.tasks")
    .select(["step", sql<number>`count(*)::int`.as("times")])
    .where(sql<boolean>`split_part(step, '.', 1) = ${source}`)
    .where(
      "since" in origin
        ? sql<boolean>`caused_by is null and created_at >= ${origin.since}`
        : sql<boolean>`caused_by in (select id from clockwork.tasks where ${matching(origin.foundBy)})`,
    )
    .groupBy("step")
    .execute();
  return new Map(rows.map(({ step, times }) => [step, times]));
}

/** A customer, and the keys by which an event may name them. */
export interface Named {
  customerId: number;
  keys: readonly string[];
}

/**
 * Finds the steps among these that are under way for a customer. A task counts by its own customer, by `customer_id` of its
 * data, or by a key of the customer in any attribute.
 */
export async function stepsUnderWay(
  db: Database | Trx,
  steps: readonly string[],
  { customerId, keys }: Named,
): Promise<Set<string>> {
  const rows = await db
    .selectFrom("clockwork.tasks")
    .select("step")
    .distinct()
    .where(matching({ status: UNDER_WAY }))
    .where("step", "in", [...steps])
    .where(sql<boolean>`(customer_id = ${customerId} or exists (
      select from jsonb_each_text(data) as named
      where named.value = any (${keys}::text[])
        or (named.key = 'customer_id' and named.value = ${String(customerId)})))`)
    .execute();
  return new Set(rows.map((row) => row.step));
}
