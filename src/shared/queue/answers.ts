import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { type About, aboutOf, matching } from "./find.ts";
import type { StepName } from "./step-data.ts";

/**
 * The last answer of a person to a question about a thing and these facts: a word of `clockwork.reason_choices`, or the
 * status that they set by hand (PENDING, CANCELLED). Undefined while it is open, and where news ended it. The reason does
 * not count: a task that was answered may have run, and stopped for another one.
 * @param about the attributes that name the thing
 */
export async function answerOf<Name extends StepName>(
  db: Database | Trx,
  { step, about, facts }: { step: Name; about: About<Name>; facts: string },
): Promise<string | undefined> {
  const { rows: [last] } = await sql<{ answer: string }>`
    select coalesce(decided.after ->> 'answer', decided.to_status::text) as answer
    from (
      select id from clockwork.tasks
      where ${
    matching<StepName>({ step, about: { ...aboutOf(about), facts } })
  } and status <> 'MANUAL_INTERVENTION'
    ) as asked
    cross join lateral (
      select task_history.*
      from clockwork.task_history
      where task_history.task_id = asked.id and task_history.to_status <> task_history.from_status
        and task_history.from_status in ('MANUAL_INTERVENTION', 'CANCELLED')
      order by task_history.id desc limit 1
    ) as decided
    where decided.actor not like 'clockwork:%'
    order by decided.id desc limit 1`.execute(db);
  return last?.answer;
}
