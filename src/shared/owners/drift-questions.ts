import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import { insertTasks, reasonText } from "../queue/tasks.ts";
import type { MirroredFact } from "./owners.ts";

/** Whose fact is asked about, and by which task: its own row does not count. */
export interface About {
  customerId: number;
  fact: MirroredFact;
  taskId: number;
}

/** True when a person has this very question already, under whichever step, or has dropped it. */
export async function isAsked(
  db: Database | Trx,
  { customerId, taskId }: About,
  why: Reason,
): Promise<boolean> {
  const row = await db.selectFrom("clockwork.tasks").select("id")
    .where("customer_id", "=", customerId).where("id", "<>", taskId).where("reason_code", "=", why.code)
    .where((eb) =>
      eb.or([
        eb("status", "=", "MANUAL_INTERVENTION"),
        eb.and([eb("status", "=", "CANCELLED"), eb("reason", "=", reasonText(why))]),
      ])
    )
    .limit(1).executeTakeFirst();
  return row !== undefined;
}

/**
 * The question about a fact that drifts again and again, with the likely cause; null while it is not often enough since
 * a person was last asked, somebody is asked already, or enough questions are open.
 * @param evenIfAsked for the question itself, when it is looked at again
 */
export async function againQuestion(
  db: Database | Trx,
  { customerId, fact, taskId }: About,
  evenIfAsked: boolean,
): Promise<Reason | null> {
  const { rows: [worst] } = await sql<
    { system: string; attribute: string; times: number; days: number; enough: boolean }
  >`
    select drift.system, drift.attribute, count(*)::int as times, settings.drift_again_days as days,
      (select count(*) from clockwork.tasks
        where tasks.status = 'MANUAL_INTERVENTION' and tasks.reason_code = 'DRIFTS_AGAIN') >= settings.drift_questions_at_most
        as enough
    from tracker.drift
    cross join clockwork.settings
    where drift.customer_id = ${customerId} and drift.fact = ${fact}
      and drift.found_at > clockwork.now() - make_interval(days => settings.drift_again_days)
      and (${evenIfAsked}::boolean or drift.found_at > coalesce((
        select max(tasks.created_at) from clockwork.tasks
        where tasks.step = 'drift.look' and tasks.customer_id = ${customerId}
          and tasks.data ->> 'fact' = ${fact} and tasks.data ? 'again'), '-infinity'))
    group by drift.system, drift.attribute, settings.only_row
    having ${evenIfAsked}::boolean or count(*) >= settings.drift_again_times
    order by count(*) desc, max(drift.id) desc
    limit 1`.execute(db);
  if (worst === undefined || (worst.enough && !evenIfAsked)) return null;
  if (!evenIfAsked && await hasOpenQuestion(db, { customerId, fact, taskId })) return null;
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

/** Asks the question, where there is one, at once: looks that are settled together must not ask more than is enough. */
export async function askAgain(trx: Trx, about: About): Promise<void> {
  const why = await againQuestion(trx, about, false);
  if (why === null) return;
  const { customerId, fact, taskId } = about;
  await insertTasks(trx, [{
    step: "drift.look",
    key: `again:${customerId}:${fact}:${taskId}`,
    vendor: "crm",
    status: "MANUAL_INTERVENTION",
    reason: why,
    data: { customer_id: customerId, fact, again: true },
    customerId,
    causedBy: taskId,
  }]);
}

async function hasOpenQuestion(db: Database | Trx, { customerId, fact, taskId }: About): Promise<boolean> {
  const row = await db.selectFrom("clockwork.tasks").select("id")
    .where("step", "=", "drift.look").where("customer_id", "=", customerId).where("id", "<>", taskId)
    .where("status", "in", ["MANUAL_INTERVENTION", "PENDING", "QUEUED"])
    .where(sql<boolean>`data ->> 'fact' = ${fact} and data ? 'again'`)
    .limit(1).executeTakeFirst();
  return row !== undefined;
}

/** Questions about what has not drifted since they were asked, for as long as it counts: they look again, and end. */
export async function wakeQuietQuestions(trx: Trx): Promise<void> {
  await sql`
    update clockwork.tasks set status = 'PENDING', run_after = clockwork.now()
    from clockwork.settings
    where tasks.step = 'drift.look' and tasks.status = 'MANUAL_INTERVENTION' and tasks.reason_code = 'DRIFTS_AGAIN'
      and tasks.updated_at < clockwork.now() - make_interval(days => settings.drift_again_days)
      and not exists (
        select from tracker.drift
        where drift.customer_id = tasks.customer_id and drift.fact = tasks.data ->> 'fact'
          and drift.found_at > clockwork.now() - make_interval(days => settings.drift_again_days))`.execute(
    trx,
  );
}
