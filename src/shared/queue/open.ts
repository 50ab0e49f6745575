import { type RawBuilder, sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { aboutOf, findTasks, type FoundTask, hasTask, matching, OPEN, type Which } from "./find.ts";
import type { FollowUp } from "./reasons.ts";
import type { DataOf, StepName } from "./step-data.ts";

/** Tasks that are {@link OPEN}; `status` narrows it. Oldest first. */
export async function openTasks<Name extends StepName>(
  db: Database | Trx,
  which: Which<Name>,
): Promise<FoundTask[]> {
  return await findTasks(db, { status: OPEN, ...which });
}

/** True while such a task is {@link OPEN}; `status` narrows it. */
export async function hasOpenTask<Name extends StepName>(
  db: Database | Trx,
  which: Which<Name>,
): Promise<boolean> {
  return await hasTask(db, { status: OPEN, ...which });
}

/** The follow-up, unless a task of its step is open with the same data; `status` narrows it. */
export async function unlessOpen(
  db: Database | Trx,
  followUp: FollowUp,
  status: Which<StepName>["status"] = OPEN,
): Promise<FollowUp[]> {
  const { step, data } = followUp;
  return await hasTask(db, { step, about: aboutOf(data), status }) ? [] : [followUp];
}

/**
 * For a `where` over rows of another table: no task of the step is open for the row.
 * @param column of the row, as `table.column`; it is compared with the attribute of `data`
 */
export function noneOpen<Name extends StepName>(
  step: Name,
  attribute: string & keyof DataOf<Name>,
  column: string,
): RawBuilder<boolean> {
  return sql<boolean>`not exists (
    select from clockwork.tasks
    where ${matching({ step, status: OPEN })} and tasks.data ->> ${sql.lit(attribute)} = ${sql.ref(column)})`;
}
