import { asClockwork, type Trx } from "../db/database.ts";
import { responseOf, within } from "./boss.ts";
import type { Queue } from "./reasons.ts";
import { nameOf, type Result, unsettled } from "./run.ts";
import { followUpTasks, insertTasks, moveQueuedTask, type NewTask } from "./tasks.ts";
import type { DrainDeps } from "./turn.ts";
import { wakeTasks } from "./wake.ts";

/** The claim on a job or a task was lost meanwhile: nothing of this run may be written. */
class ClaimLost extends Error {
  override name = "ClaimLost";
}

/** How a settle went. `failed`: results that could not be written, and were written as failures instead. */
interface Tally {
  settled: number;
  lost: number;
  failed: Result[];
}

/**
 * Settles results: task, job, domain rows and follow-ups of each in one transaction. All results share a transaction;
 * after an error each gets its own, so that one bad result holds up no other.
 * A result that cannot be written counts as a failure of its try. After a lost claim, or while the database is away,
 * nothing is written: the heartbeat stops, and pg-boss gives the task another run.
 */
export async function settle(deps: DrainDeps, queue: Queue, results: readonly Result[]): Promise<Tally> {
  const tally: Tally = { settled: 0, lost: 0, failed: [] };
  if (results.length > 1) {
    try {
      await settleTogether(deps, queue, results);
      return { ...tally, settled: results.length };
    } catch {
      // Each result gets its own transaction below.
    }
  }
  for (const result of results) {
    try {
      await settleTogether(deps, queue, [result]);
      tally.settled += 1;
    } catch (error) {
      deps.log("settle_failed", { task: result.task.id, step: result.task.step, error: kindOf(error) });
      const isWritten = !(error instanceof ClaimLost) &&
        await settleTogether(deps, queue, [unsettled(result, error)]).then(() => true, () => false);
      if (isWritten) tally.failed.push(result);
      else tally.lost += 1;
    }
  }
  return tally;
}

async function settleTogether(deps: DrainDeps, queue: Queue, results: readonly Result[]): Promise<void> {
  // In order of id, so that two transactions never wait for each other.
  const inOrder = results.toSorted((a, b) => a.task.id - b.task.id);
  await asClockwork(deps.db, "drain", async (trx) => {
    const jobs = inOrder.filter(({ isRetry }) => !isRetry).map(({ job }) => job);
    if (jobs.length > 0) expectHits(await deps.boss.complete(queue, jobs, null, within(trx)), jobs.length);
    for (const result of inOrder) if (result.isRetry) await failJob(deps, queue, trx, result);
    await deps.faultPoint?.("job settled");
    const followUps: NewTask[] = [];
    for (const { task, job, move, unless, commit } of inOrder) {
      if (!(await moveQueuedTask(trx, task, job.id, move))) throw new ClaimLost("task");
      await deps.faultPoint?.("task moved");
      if (await unless?.(trx)) await wakeTasks(trx, { ids: [task.id] });
      const asked = (await commit?.(trx)) ?? [];
      await deps.faultPoint?.("outcome committed");
      followUps.push(...followUpTasks(task, asked, deps.steps.queueOf));
    }
    await insertTasks(trx, followUps);
    await deps.faultPoint?.("before commit");
  });
  await deps.faultPoint?.("after commit");
}

async function failJob({ boss }: DrainDeps, queue: Queue, trx: Trx, { job, move }: Result): Promise<void> {
  expectHits(await boss.fail(queue, [job], null, within(trx)), 1);
  // pg-boss chose the backoff; people see it as the task's next try.
  const [failed] = await boss.findJobs(queue, { id: job.id, ...within(trx) });
  if (failed) move.runAfter = failed.startAfter;
}

/** A job that pg-boss did not hit is another drain's now. */
function expectHits(response: object, jobs: number): void {
  if (responseOf(response).affected !== jobs) throw new ClaimLost("job");
}

/** SQLSTATE where the database gave one. */
function kindOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? `SQLSTATE ${error.code}`
    : nameOf(error);
}
