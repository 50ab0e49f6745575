import type { Trx } from "../db/database.ts";
import { type About, aboutOf, hasTask, type Which } from "./find.ts";
import { hasOpenTask } from "./open.ts";
import type { FollowUp, Reason } from "./reasons.ts";
import type { StepName } from "./step-data.ts";
import type { StepContext } from "./step.ts";
import { followUpTasks, insertTasks } from "./tasks.ts";

/** A task that is inserted in MANUAL_INTERVENTION: a resend does the proposed thing. */
export type Question<Name extends StepName = StepName> = FollowUp<Name> & { person: Reason };

type Asking = Pick<StepContext, "task" | "steps">;

/**
 * Asks a person once. It does not ask while a task of the step is open for the same `about`, or after somebody cancelled
 * the same data and reason code. The question is inserted at once, so that tasks which settle together ask once.
 * @param about the attributes of the data by which an open task is the same; default: all
 * @param evenIfCancelled a cancelled question is asked anew when its cause comes again
 */
export async function ask<Name extends StepName>(
  trx: Trx,
  asking: Asking,
  question: Question & { step: Name },
  { about, evenIfCancelled = false }: { about?: About<Name>; evenIfCancelled?: boolean } = {},
): Promise<void> {
  const { step, data, person: { code: reasonCode } } = question;
  const same = aboutOf(data);
  if (await hasOpenTask<StepName>(trx, { step, about: about ?? same })) return;
  const cancelled: Which<StepName> = { step, about: same, status: "CANCELLED", reasonCode };
  if (!evenIfCancelled && await hasTask(trx, cancelled)) return;
  await addNow(trx, asking, [question]);
}

/** Inserts follow-ups within a commit, instead of at its end: tasks that settle together see them. */
export async function addNow(
  trx: Trx,
  { task, steps }: Asking,
  followUps: readonly FollowUp[],
): Promise<void> {
  await insertTasks(trx, followUpTasks(task, followUps, (step) => steps.queueOf(step)));
}
