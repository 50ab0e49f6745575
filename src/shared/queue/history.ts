import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { matching, UNDER_WAY, type Which } from "./find.ts";
import type { StepName } from "./step-data.ts";

/**
 * How many events of a source there are, by their step: those that webhooks brought since a moment, or those that tasks
 * of ours found.
 */
export async function countEvents<Name extends StepName>(
  db: Database | Trx,
  source: string,
  told: { since: Date } | { foundBy: Which<Name> },
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom("clockwork.tasks")
    .select(["step", sql<number>`count(*)::int`.as("times")])
    .where(sql<boolean>`split_part(step, '.', 1) = ${source}`)
    .where(
      "since" in told
        ? sql<boolean>`caused_by is null and created_at >= ${told.since}`
        : sql<boolean>`caused_by in (select id from clockwork.tasks where ${matching(told.foundBy)})`,
    )
    .groupBy("step")
    .execute();
  return new Map(rows.map(({ step, times }) => [step, times]));
}

/** A customer, and the keys by which news may name them. */
export interface Named {
  customerId: number;
  keys: readonly string[];
}

/**
 * Which of these steps are under way for a customer: as the task's own, as `customer_id` of its data, or by any of the
 * customer's keys, whichever attribute has it.
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
