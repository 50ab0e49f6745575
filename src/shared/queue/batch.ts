import { asClockwork } from "../db/database.ts";
import { HEARTBEAT_SECONDS, type JobAttempt, responseOf, type TaskJob, within } from "./boss.ts";
import { leaseQueue } from "./lease.ts";
import type { Queue } from "./reasons.ts";
import { handBack, type Result, runTask } from "./run.ts";
import { settle } from "./settle.ts";
import { lockDueTasks, queueTasks, readQueuedTasks } from "./tasks.ts";
import type { DrainDeps, Turn } from "./turn.ts";

/** Turns due PENDING tasks into jobs, in one transaction, under new job ids. Returns how many. */
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

/** The jobs whose claim this drain still has, by id. */
type Claimed = Map<string, JobAttempt>;

/**
 * Fetches jobs and runs them, `concurrency` at a time, with a heartbeat over all of them until each is settled.
 * Results are settled as they come in, several together when they wait for each other; a slow task holds up none.
 * Returns how many jobs it took.
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
  const claimed: Claimed = new Map(jobs.map(({ id, retryCount }) => [id, { id, retryCount }]));
  const stopHeartbeat = deps.every(
    (HEARTBEAT_SECONDS / 3) * 1000,
    () => void heartbeat(turn, queue, claimed),
  );
  try {
    const tasks = new Map(
      (await readQueuedTasks(deps.db, [...claimed.keys()])).map((task) => [task.jobId, task]),
    );
    await completeOrphans(deps, queue, claimed, tasks);
    const waiting = jobs.filter(({ id }) => tasks.has(id));
    const settler = makeSettler(turn, queue, claimed);
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [task, job] = [tasks.get(next.id), claimed.get(next.id)];
        if (!task || !job) continue;
        turn.spent += deps.steps.find(task.step)?.weight ?? 1;
        const result = turn.hasTime()
          ? await runTask(deps, gate, task, job, next.retryLimit)
          : handBack(task, job);
        // A claim that touch() no longer returned is another drain's now.
        if (claimed.has(job.id)) settler.add(result);
        else report.lost += 1;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    await settler.done();
  } finally {
    stopHeartbeat();
  }
  return jobs.length;
}

/** Results that come in during a settle are settled together by the next one. */
function makeSettler(turn: Turn, queue: Queue, claimed: Claimed) {
  const { deps, report } = turn;
  const finished: Result[] = [];
  let settling: Promise<void> | undefined;
  const settleAll = async () => {
    while (finished.length > 0) {
      const results = finished.splice(0);
      const tally = await settle(deps, queue, results);
      report.lost += tally.lost;
      report.settled += tally.settled + tally.failed.length;
      for (const result of results) {
        claimed.delete(result.job.id);
        if (result.isRetry || tally.failed.includes(result)) report.retried += 1;
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

/** Completes the jobs whose task a person moved on, so that they do not come back. */
async function completeOrphans(
  deps: DrainDeps,
  queue: Queue,
  claimed: Claimed,
  tasks: ReadonlyMap<string, unknown>,
): Promise<void> {
  const orphans = [...claimed.values()].filter(({ id }) => !tasks.has(id));
  if (orphans.length === 0) return;
  await deps.boss.complete(queue, orphans);
  for (const { id } of orphans) claimed.delete(id);
}

async function heartbeat({ deps, drainId }: Turn, queue: Queue, claimed: Claimed): Promise<void> {
  if (claimed.size === 0) return;
  try {
    await leaseQueue(deps, queue, drainId);
    const { settled } = responseOf(await deps.boss.touch(queue, [...claimed.values()]));
    const alive = new Set(settled);
    for (const id of [...claimed.keys()]) if (!alive.has(id)) claimed.delete(id);
  } catch {
    // The database is away: no settle can go through meanwhile, and the next beat tries again.
  }
}
