import type { PgBoss } from "pg-boss";
import { asClockwork, type Trx } from "../db/database.ts";
import { responseOf, within } from "./boss.ts";
import type { Deps } from "./deps.ts";
import type { Queue } from "./reasons.ts";
import { type Result, unsettled } from "./run.ts";
import type { StepTable } from "./step.ts";
import { followUpTasks, insertTasks, moveQueuedTask, type NewTask } from "./tasks.ts";
import { wakeTasks } from "./wake.ts";

/** The claim on a job or a task was lost meanwhile: nothing of this run may be written. */
class ClaimLost extends Error {
  override name = "ClaimLost";
}

/** How a settle went. `failed`: its outcome could not be written, which is written instead. */
export interface Tally {
  settled: number;
  lost: number;
  failed: Result[];
}

/**
 * Settles results: task, job, domain rows and follow-ups of each in one transaction. All together when all is well;
 * on any error one by one, so that one bad result holds up no other.
 * An outcome that cannot be written counts as a failure of its try. A result whose claim was lost, or that meets a
 * database that is away, is left as it is: its heartbeat stops, and pg-boss gives the task another run.
 */
export async function settle(
  deps: Deps,
  boss: PgBoss,
  queue: Queue,
  steps: StepTable,
  results: readonly Result[],
): Promise<Tally> {
  const tally: Tally = { settled: 0, lost: 0, failed: [] };
  if (results.length > 1) {
    try {
      await settleTogether(deps, boss, queue, steps, results);
      return { ...tally, settled: results.length };
    } catch {
      // One of them stood in the way; each gets its own transaction below.
    }
  }
  for (const result of results) {
    try {
      await settleTogether(deps, boss, queue, steps, [result]);
      tally.settled += 1;
    } catch (error) {
      deps.log("settle_failed", { task: result.task.id, step: result.task.step, error: kindOf(error) });
      if (await settleFailure(deps, boss, queue, steps, result, error)) tally.failed.push(result);
      else tally.lost += 1;
    }
  }
  return tally;
}

async function settleFailure(
  deps: Deps,
  boss: PgBoss,
  queue: Queue,
  steps: StepTable,
  result: Result,
  error: unknown,
): Promise<boolean> {
  if (error instanceof ClaimLost) return false;
  try {
    await settleTogether(deps, boss, queue, steps, [unsettled(result, error)]);
    return true;
  } catch {
    return false;
  }
}

async function settleTogether(
  deps: Deps,
  boss: PgBoss,
  queue: Queue,
  steps: StepTable,
  results: readonly Result[],
): Promise<void> {
  // In order of id, so that two transactions never wait for each other.
  const inOrder = results.toSorted((a, b) => a.task.id - b.task.id);
  await asClockwork(deps.db, "drain", async (trx) => {
    await completeJobs(boss, queue, trx, inOrder.filter((result) => result.ending === "settled"));
    for (const result of inOrder) if (result.ending === "retry") await failJob(boss, queue, trx, result);
    await deps.faultPoint?.("job settled");
    const followUps: NewTask[] = [];
    for (const result of inOrder) {
      if (!(await moveQueuedTask(trx, result.task, result.jobId, result.move))) throw new ClaimLost("task");
      await deps.faultPoint?.("task moved");
      if (await result.unless?.(trx)) await wakeTasks(trx, { ids: [result.task.id] });
      const asked = (await result.commit?.(trx)) ?? [];
      await deps.faultPoint?.("outcome committed");
      followUps.push(...followUpTasks(result.task, asked, steps.queueOf));
    }
    await insertTasks(trx, followUps);
    await deps.faultPoint?.("before commit");
  });
  await deps.faultPoint?.("after commit");
}

async function completeJobs(boss: PgBoss, queue: Queue, trx: Trx, results: readonly Result[]): Promise<void> {
  if (results.length === 0) return;
  const attempts = results.map(({ jobId, retryCount }) => ({ id: jobId, retryCount }));
  const { affected } = responseOf(await boss.complete(queue, attempts, null, within(trx)));
  if (affected !== attempts.length) throw new ClaimLost("job");
}

async function failJob(boss: PgBoss, queue: Queue, trx: Trx, result: Result): Promise<void> {
  const attempt = { id: result.jobId, retryCount: result.retryCount };
  const { affected } = responseOf(await boss.fail(queue, [attempt], null, within(trx)));
  if (affected !== 1) throw new ClaimLost("job");
  // pg-boss chose the backoff; people see it as the task's next try.
  const [job] = await boss.findJobs(queue, { id: result.jobId, ...within(trx) });
  if (job) result.move.runAfter = job.startAfter;
}

/** The kind of an error: its name, or SQLSTATE where the database gave one. Never its message. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return "code" in error && typeof error.code === "string" ? `SQLSTATE ${error.code}` : error.name;
}
