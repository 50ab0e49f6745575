import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { ask } from "../queue/ask.ts";
import { findTasks, hasTask } from "../queue/find.ts";
import { openTasks } from "../queue/open.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { MirroredFact } from "./owners.ts";

/** A customer's fact, and the task that asks about it: its own row does not count. */
interface About {
  customerId: number;
  fact: MirroredFact;
  taskId: number;
}

/** True when a person has this question from a task of any step, or cancelled it. */
export async function isAsked(
  db: Database | Trx,
  { customerId, taskId }: About,
  why: Reason,
): Promise<boolean> {
  const about = { customerId, except: taskId };
  return await hasTask(db, { ...about, status: "MANUAL_INTERVENTION", reasonCode: why.code }) ||
    await hasTask(db, { ...about, status: "CANCELLED", reason: why });
}

/**
 * The question about a fact that drifts again and again, with the likely cause. Null when it drifted too seldom since a
 * person was last asked, or enough questions are open.
 * @param evenIfAsked for the question itself, when its task runs again
 */
export async function againQuestion(
  db: Database | Trx,
  about: About,
  evenIfAsked: boolean,
): Promise<Reason | null> {
  const { customerId, fact } = about;
  const worst = evenIfAsked ? await mostDrifted(db, about, { atLeast: 1 }) : await newlyDrifted(db, about);
  if (worst === undefined) return null;
  const { system, attribute, times, days } = worst;
  const { rows: [words] } = await sql<{ owner: string; mirror: string; cause: string }>`
    select tracker.system_name(drift.owner) as owner, tracker.system_name(${system}) as mirror,
      tracker.drift_cause(${customerId}, ${fact}, ${system}, ${attribute}) as cause
    from tracker.drift where drift.customer_id = ${customerId} and drift.fact = ${fact}
    limit 1`.execute(db);
  if (words === undefined) return null;
  const cause = words.cause.replace(/\.$/, "");
  return reason("DRIFTS_AGAIN", { attribute, customer: customerId, times, days, ...words, cause });
}

/** Asks the question, if there is one, at once: looks that settle together must not ask more than is enough. */
export async function askAgain(trx: Trx, ctx: StepContext, about: About): Promise<void> {
  const person = await againQuestion(trx, about, false);
  if (person === null) return;
  const { customerId, fact } = about;
  const data = { customer_id: customerId, fact, again: true as const };
  await ask(trx, ctx, { step: "drift.look", data, person, customerId }, { evenIfCancelled: true });
}

interface Drifted {
  system: string;
  attribute: string;
  times: number;
  /** The days within which the times are counted. */
  days: number;
  /** The number of questions that may be open at a time. */
  questionsAtMost: number;
}

/** The attribute that drifted often enough since a person was last asked, unless enough questions are open. */
async function newlyDrifted(db: Database | Trx, about: About): Promise<Drifted | undefined> {
  const { customerId, fact } = about;
  const asked = await findTasks(db, { step: "drift.look", customerId, about: { fact }, has: "again" });
  const worst = await mostDrifted(db, about, { since: asked.at(-1)?.createdAt ?? null });
  if (worst === undefined) return undefined;
  const open = await openTasks(db, { reasonCode: "DRIFTS_AGAIN", status: "MANUAL_INTERVENTION" });
  return open.length < worst.questionsAtMost ? worst : undefined;
}

/** The attribute that drifted most, if at least `atLeast` times. Default: `clockwork.settings.drift_again_times`. */
async function mostDrifted(
  db: Database | Trx,
  { customerId, fact }: About,
  { since = null, atLeast = null }: { since?: Date | null; atLeast?: number | null },
): Promise<Drifted | undefined> {
  // A Date has no microseconds: drift in the millisecond of `since` does not count.
  const { rows: [worst] } = await sql<Drifted>`
    select drift.system, drift.attribute, count(*)::int as times, settings.drift_again_days as days,
      settings.drift_questions_at_most as "questionsAtMost"
    from tracker.drift
    cross join clockwork.settings
    where drift.customer_id = ${customerId} and drift.fact = ${fact}
      and drift.found_at > clockwork.now() - make_interval(days => settings.drift_again_days)
      and date_trunc('milliseconds', drift.found_at) > coalesce(${since}::timestamptz, '-infinity')
    group by drift.system, drift.attribute, settings.only_row
    having count(*) >= coalesce(${atLeast}::integer, settings.drift_again_times)
    order by count(*) desc, max(drift.id) desc
    limit 1`.execute(db);
  return worst;
}

/** Wakes the questions about facts that have not drifted for `drift_again_days`: they look again, and end. */
export async function wakeQuietQuestions(trx: Trx): Promise<void> {
  const asked = await openTasks(trx, {
    step: "drift.look",
    status: "MANUAL_INTERVENTION",
    reasonCode: "DRIFTS_AGAIN",
  });
  if (asked.length === 0) return;
  const { rows: quiet } = await sql<{ id: number }>`
    select asked.id
    from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
      as asked (id bigint, "customerId" bigint, data jsonb, "updatedAt" timestamptz)
    cross join clockwork.settings
    where asked."updatedAt" < clockwork.now() - make_interval(days => settings.drift_again_days)
      and not exists (
        select from tracker.drift
        where drift.customer_id = asked."customerId" and drift.fact = asked.data ->> 'fact'
          and drift.found_at > clockwork.now() - make_interval(days => settings.drift_again_days))`.execute(
    trx,
  );
  await wakeTasks(trx, { ids: quiet.map(({ id }) => id) });
}
