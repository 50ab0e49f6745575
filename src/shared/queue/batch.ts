import { asClockwork } from "../db/database.ts";
import { HEARTBEAT_SECONDS, type JobAttempt, responseOf, type TaskJob, within } from "./boss.ts";
import { leaseQueue, QUEUE_LEASE_SECONDS } from "./gate.ts";
import type { Queue } from "./reasons.ts";
import { handBack, type Result, runTask } from "./run.ts";
import { settle } from "./settle.ts";
import { lockDueTasks, queueTasks, readQueuedTasks } from "./tasks.ts";
import type { DrainDeps, Turn } from "./turn.ts";

/** PENDING tasks become jobs, in one transaction, under new job ids. Gives how many. */
export async function claim(deps: DrainDeps, queue: Queue, limit: number): Promise<number> {
  return await asClockwork(deps.db, "drain", async (trx) => {
    const ids = await lockDueTasks(trx, queue, limit);
    if (ids.length === 0) return 0;
    // New ids always: pg-boss silently ignores one that it still keeps.
    const jobs = ids.map((taskId) => ({ taskId, jobId: crypto.randomUUID() }));
    await deps.faultPoint?.("tasks locked");
    await deps.boss.insert(
      queue,
      jobs.map(({ taskId, jobId }) => ({ id: jobId, data: { task_id: taskId } })),
      within(trx),
    );
    await deps.faultPoint?.("jobs inserted");
    await queueTasks(trx, jobs);
    await deps.faultPoint?.("tasks queued");
    return ids.length;
  });
}

/**
 * Fetches jobs and runs them, `concurrency` at a time, with a heartbeat over all of them until each is settled.
 * Results are settled as they come in, several together when they wait for each other; a slow task holds up none.
 * Gives how many jobs it took.
 */
export async function workBatch(
  turn: Turn,
  queue: Queue,
  concurrency: number,
  limit: number,
): Promise<number> {
  const { deps, gate, report } = turn;
  const jobs = await deps.boss.fetch<TaskJob>(queue, { batchSize: limit, includeMetadata: true });
  if (jobs.length === 0) return 0;
  await deps.faultPoint?.("jobs fetched");
  const held = new Map<string, JobAttempt>(
    jobs.map((job) => [job.id, { id: job.id, retryCount: job.retryCount }]),
  );
  const stopHeartbeat = deps.every((HEARTBEAT_SECONDS / 3) * 1000, () => void heartbeat(turn, queue, held));
  try {
    const tasks = new Map(
      (await readQueuedTasks(deps.db, [...held.keys()])).map((task) => [task.jobId, task]),
    );
    const orphans = jobs.filter((job) => !tasks.has(job.id));
    if (orphans.length > 0) await dropOrphans(deps, queue, orphans, held);
    const waiting = jobs.filter((job) => tasks.has(job.id));
    const settler = makeSettler(turn, queue, held);
    const worker = async () => {
      for (let job = waiting.shift(); job; job = waiting.shift()) {
        const task = tasks.get(job.id);
        if (!task || !held.has(job.id)) continue;
        turn.spent += deps.steps.find(task.step)?.weight ?? 1;
        const result = turn.hasTime()
          ? await runTask(deps, deps.vendors, gate, deps.steps, task, job)
          : handBack(task, job);
        // A claim that touch() no longer returned is another drain's now.
        if (held.has(job.id)) settler.add(result);
        else report.lost += 1;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, () => worker()));
    await settler.done();
  } finally {
    stopHeartbeat();
  }
  return jobs.length;
}

/** Settles what has come in while the last settle was under way, until nothing is left. */
function makeSettler(turn: Turn, queue: Queue, held: Map<string, JobAttempt>) {
  const { deps, report } = turn;
  const finished: Result[] = [];
  let settling: Promise<void> | undefined;
  const settleAll = async () => {
    while (finished.length > 0) {
      const results = finished.splice(0);
      const tally = await settle(deps, deps.boss, queue, deps.steps, results);
      report.lost += tally.lost;
      report.settled += tally.settled + tally.failed.length;
      for (const result of results) {
        held.delete(result.jobId);
        if (result.ending === "retry" || tally.failed.includes(result)) report.retried += 1;
        if (result.move.status === "MANUAL_INTERVENTION") report.stopped += 1;
      }
    }
    settling = undefined;
  };
  return {
    add(result: Result) {
      finished.push(result);
      settling ??= settleAll();
    },
    async done() {
      while (settling) await settling;
    },
  };
}

/** Jobs whose task is no longer theirs (a person moved it on): finished, so that they do not come back. */
async function dropOrphans(
  deps: DrainDeps,
  queue: Queue,
  orphans: readonly JobAttempt[],
  held: Map<string, JobAttempt>,
): Promise<void> {
  await deps.boss.complete(queue, orphans.map(({ id, retryCount }) => ({ id, retryCount })));
  for (const job of orphans) held.delete(job.id);
}

async function heartbeat(
  { deps, drainId }: Turn,
  queue: Queue,
  held: Map<string, JobAttempt>,
): Promise<void> {
  if (held.size === 0) return;
  try {
    await leaseQueue(deps, queue, drainId, QUEUE_LEASE_SECONDS);
    const { settled } = responseOf(await deps.boss.touch(queue, [...held.values()]));
    const alive = new Set(settled ?? []);
    for (const id of [...held.keys()]) if (!alive.has(id)) held.delete(id);
  } catch {
    // The database is away: the next beat tells, and no settle can go through meanwhile.
  }
}
