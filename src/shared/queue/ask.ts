import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import { answerOf } from "./answers.ts";
import { type About, aboutOf, hasTask, matching, type Which } from "./find.ts";
import { hasOpenTask } from "./open.ts";
import type { FollowUp, Reason } from "./reasons.ts";
import type { StepName } from "./step-data.ts";
import type { StepContext } from "./step.ts";
import { followUpTasks, insertTasks, reasonText } from "./tasks.ts";

/** A task that is inserted in MANUAL_INTERVENTION: a resend does the proposed thing. */
export type Question<Name extends StepName = StepName> = FollowUp<Name> & { person: Reason };

type Asking = Pick<StepContext, "task" | "steps">;

/**
 * Asks a person once. It does not ask while a task of the step is open for the same `about`, or after somebody cancelled
 * the same data and reason code. The question is inserted at once, so that tasks which settle together ask once.
 *
 * A question with `facts` is not asked after a person answered one about the same facts, in any way. An open one for the
 * same reason gets the new facts, data and sentence in its row, so that nobody answers for what is no longer so.
 * @param about the attributes of the data by which an open task is the same; default: all
 * @param evenIfCancelled a cancelled question without facts is asked anew when its cause comes again
 */
export async function ask<Name extends StepName>(
  trx: Trx,
  asking: Asking,
  question: Question & { step: Name },
  { about, evenIfCancelled = false }: { about?: About<Name>; evenIfCancelled?: boolean } = {},
): Promise<void> {
  const { step, data, facts, person: { code: reasonCode } } = question;
  const same: Which<StepName>["about"] = about ?? aboutOf(data);
  if (facts !== undefined) {
    await lockThing(trx, step, same);
    if (await renewOpen(trx, question, { step, about: same, reasonCode })) return;
  }
  if (await hasOpenTask<StepName>(trx, { step, about: same })) return;
  const cancelled: Which<StepName> = { step, about: aboutOf(data), status: "CANCELLED", reasonCode };
  const isAnswered = facts === undefined
    ? !evenIfCancelled && await hasTask(trx, cancelled)
    : await answerOf<StepName>(trx, { step, about: same, facts }) !== undefined;
  if (!isAnswered) await addNow(trx, asking, [question]);
}

/** Two transactions that ask about one thing do it one after the other, so that the second finds the first's question. */
async function lockThing(trx: Trx, step: string, about: Which<StepName>["about"]): Promise<void> {
  const thing = `${step} ${JSON.stringify(about)}`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${thing}, 0))`.execute(trx);
}

/** Puts other facts into the open question. False when there is none, or its facts are the same. */
async function renewOpen(
  trx: Trx,
  { data, facts, person }: Question,
  which: Which<StepName>,
): Promise<boolean> {
  const renewed = await trx.updateTable("clockwork.tasks")
    .set({ data: JSON.stringify({ ...data, facts }), reason: reasonText(person) })
    .where(matching({ ...which, status: "MANUAL_INTERVENTION" }))
    .where(sql<boolean>`data ->> 'facts' <> ${facts}`)
    .returning("id").execute();
  return renewed.length > 0;
}

/** Inserts follow-ups within a commit, instead of at its end: tasks that settle together see them. */
export async function addNow(
  trx: Trx,
  { task, steps }: Asking,
  followUps: readonly FollowUp[],
): Promise<void> {
  await insertTasks(trx, followUpTasks(task, followUps, (step) => steps.queueOf(step)));
}
