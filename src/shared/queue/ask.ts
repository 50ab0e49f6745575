import type { Trx } from "../db/database.ts";
import { type About, aboutOf, hasTask, type Which } from "./find.ts";
import { hasOpenTask } from "./open.ts";
import type { FollowUp, Reason } from "./reasons.ts";
import type { StepName } from "./step-data.ts";
import type { StepContext } from "./step.ts";
import { followUpTasks, insertTasks } from "./tasks.ts";

/** A task that is born in front of a person: a resend does what it proposes. */
export type Question<Name extends StepName = StepName> = FollowUp<Name> & { person: Reason };

/** The task that asks, and the steps. */
type Asking = Pick<StepContext, "task" | "steps">;

/**
 * Asks a person once: not while a task of the step is open for the same, nor when somebody dropped just this question,
 * with the same data and reason code. It is inserted at once, so that tasks which settle together ask once.
 * @param about the attributes of the data by which an open task is the same; default: all
 * @param evenIfDropped a question that somebody dropped is asked anew when its cause comes again
 */
export async function ask<Name extends StepName>(
  trx: Trx,
  asking: Asking,
  question: Question & { step: Name },
  { about, evenIfDropped = false }: { about?: About<Name>; evenIfDropped?: boolean } = {},
): Promise<void> {
  const { step, data, person } = question;
  const open: Which<StepName> = { step, about: about ?? aboutOf(data) };
  const dropped: Which<StepName> = {
    step,
    about: aboutOf(data),
    status: "CANCELLED",
    reasonCode: person.code,
  };
  if (await hasOpenTask(trx, open) || !evenIfDropped && await hasTask(trx, dropped)) return;
  await addNow(trx, asking, [question]);
}

/** Inserts follow-ups within a commit instead of leaving them for its end: tasks that settle together see them. */
export async function addNow(
  trx: Trx,
  { task, steps }: Asking,
  followUps: readonly FollowUp[],
): Promise<void> {
  await insertTasks(trx, followUpTasks(task, followUps, (step) => steps.queueOf(step)));
}
