import type { PgBoss } from "pg-boss";
import { asClockwork } from "../db/database.ts";
import {
  HEARTBEAT_SECONDS,
  type JobAttempt,
  prepareQueues,
  responseOf,
  type RetryPolicy,
  type TaskJob,
  within,
} from "./boss.ts";
import type { Deps } from "./deps.ts";
import { leaseQueue, releaseQueue, VendorGate } from "./gate.ts";
import type { Queue } from "./reasons.ts";
import { type Result, runTask, type StepTable } from "./run.ts";
import { settle } from "./settle.ts";
import type { Vendors } from "./step.ts";
import { sweep } from "./sweep.ts";
import { lockDueTasks, queueTasks, readQueuedTasks } from "./tasks.ts";

/** One edge call may live 150 s; a drain stops taking work well before, and the next tick goes on. */
export const DRAIN_BUDGET_MS = 50_000;
/** One edge call has 2 s of CPU; a task costs 1 to 2 ms of it. */
export const DRAIN_BUDGET_TASKS = 800;
/** Tasks taken at once, per unit of concurrency. */
const BATCH_PER_WORKER = 4;
/** Renewed with every batch; far longer than a batch takes. */
const QUEUE_LEASE_SECONDS = 90;

export interface DrainDeps extends Deps {
  boss: PgBoss;
  vendors: Vendors;
  steps: StepTable;
  /** Calls `tick` every `milliseconds` until the returned function is called. */
  every: (milliseconds: number, tick: () => void) => () => void;
  budget?: { milliseconds: number; tasks: number };
}

/** What one drain did: the one line it logs. */
export interface DrainReport {
  settled: number;
  retried: number;
  stopped: number;
  lost: number;
  swept: number;
  milliseconds: number;
}

/**
 * One turn of the gears: every queue that is neither paused nor in another drain's hands, side by side, until
 * nothing is due or the budget is used up. Safe to call at any time, doubled or overlapping.
 */
export async function drain(deps: DrainDeps): Promise<DrainReport> {
  const startedAt = performance.now();
  const report: DrainReport = { settled: 0, retried: 0, stopped: 0, lost: 0, swept: 0, milliseconds: 0 };
  const settings = await deps.db.selectFrom("clockwork.settings").select("maintenance")
    .executeTakeFirstOrThrow();
  if (settings.maintenance) return report;
  const queues = await readQueues(deps);
  await prepareQueuesOnce(deps.boss, queues);
  report.swept = await sweep(deps, deps.boss, [...queues.keys()]);
  const gate = await VendorGate.load(deps);
  const budget = deps.budget ?? { milliseconds: DRAIN_BUDGET_MS, tasks: DRAIN_BUDGET_TASKS };
  const drainId = crypto.randomUUID();
  const hasBudget = () =>
    performance.now() - startedAt < budget.milliseconds && report.settled + report.lost < budget.tasks;
  await Promise.all(
    [...queues].map(([queue, { concurrency }]) =>
      drainQueue(deps, gate, queue, concurrency, drainId, hasBudget, report)
    ),
  );
  await gate.flush();
  report.milliseconds = Math.round(performance.now() - startedAt);
  deps.log("drained", { ...report });
  return report;
}

interface QueueSettings extends RetryPolicy {
  concurrency: number;
}

async function readQueues(deps: Deps): Promise<Map<Queue, QueueSettings>> {
  const rows = await deps.db.selectFrom("clockwork.vendors").selectAll().execute();
  const settings = new Map(rows.map((row) => [row.vendor, row]));
  const queues = new Map<Queue, QueueSettings>();
  for (const queue of ["stripe", "health", "pharmacy", "crm", "internal"] as const) {
    const row = settings.get(queue);
    if (!row) throw new Error(`clockwork.vendors has no row for ${queue}`);
    queues.set(queue, {
      concurrency: row.concurrency,
      retryLimit: row.retry_limit,
      retryDelaySeconds: row.retry_delay_seconds,
      retryDelayMaxSeconds: row.retry_delay_max_seconds,
    });
  }
  return queues;
}

const preparedPolicies = new WeakMap<PgBoss, string>();

/** createQueue and updateQueue commit by themselves and cost a lock: only when the policies changed. */
async function prepareQueuesOnce(boss: PgBoss, queues: ReadonlyMap<Queue, RetryPolicy>): Promise<void> {
  const policies = JSON.stringify([...queues]);
  if (preparedPolicies.get(boss) === policies) return;
  await prepareQueues(boss, queues);
  preparedPolicies.set(boss, policies);
}

async function drainQueue(
  deps: DrainDeps,
  gate: VendorGate,
  queue: Queue,
  concurrency: number,
  drainId: string,
  hasBudget: () => boolean,
  report: DrainReport,
): Promise<void> {
  try {
    while (hasBudget() && !gate.pausedUntil(queue)) {
      if (!(await leaseQueue(deps, queue, drainId, QUEUE_LEASE_SECONDS))) return;
      const limit = gate.isProbing(queue) ? 1 : concurrency * BATCH_PER_WORKER;
      const claimed = await claim(deps, queue, limit);
      const worked = await workBatch(deps, gate, queue, concurrency, limit, report);
      if (claimed === 0 && worked === 0) return;
    }
  } catch (error) {
    const kind = error instanceof Error ? error.name : typeof error;
    deps.log("drain_failed", { queue, error: kind });
  } finally {
    await releaseQueue(deps, queue, drainId).catch(() => {});
  }
}

/** PENDING tasks become jobs, in one transaction, under new job ids. */
async function claim(deps: DrainDeps, queue: Queue, limit: number): Promise<number> {
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

/** Fetches jobs and runs them, `concurrency` at a time, with a heartbeat over all of them until each is settled. */
async function workBatch(
  deps: DrainDeps,
  gate: VendorGate,
  queue: Queue,
  concurrency: number,
  limit: number,
  report: DrainReport,
): Promise<number> {
  const jobs = await deps.boss.fetch<TaskJob>(queue, { batchSize: limit, includeMetadata: true });
  if (jobs.length === 0) return 0;
  await deps.faultPoint?.("jobs fetched");
  const held = new Map<string, JobAttempt>(
    jobs.map((job) => [job.id, { id: job.id, retryCount: job.retryCount }]),
  );
  const stopHeartbeat = deps.every((HEARTBEAT_SECONDS / 3) * 1000, () => void heartbeat(deps, queue, held));
  try {
    const tasks = new Map(
      (await readQueuedTasks(deps.db, [...held.keys()])).map((task) => [task.jobId, task]),
    );
    const orphans = jobs.filter((job) => !tasks.has(job.id));
    if (orphans.length > 0) await dropOrphans(deps, queue, orphans, held);
    const waiting = jobs.filter((job) => tasks.has(job.id));
    const finished: Result[] = [];
    const worker = async () => {
      for (let job = waiting.shift(); job; job = waiting.shift()) {
        const task = tasks.get(job.id);
        if (!task || !held.has(job.id)) continue;
        const result = await runTask(deps, deps.vendors, gate, deps.steps, task, job);
        // A claim that touch() no longer returned is another drain's now.
        if (held.has(job.id)) finished.push(result);
        else report.lost += 1;
      }
    };
    while (waiting.length > 0) {
      await Promise.all(Array.from({ length: concurrency }, () => worker()));
      const results = finished.splice(0);
      const tally = await settle(deps, deps.boss, queue, deps.steps, results);
      report.lost += tally.lost;
      report.settled += tally.settled;
      for (const result of results) {
        held.delete(result.jobId);
        if (result.ending === "retry") report.retried += 1;
        if (result.move.status === "MANUAL_INTERVENTION") report.stopped += 1;
      }
    }
  } finally {
    stopHeartbeat();
  }
  return jobs.length;
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

async function heartbeat(deps: DrainDeps, queue: Queue, held: Map<string, JobAttempt>): Promise<void> {
  if (held.size === 0) return;
  try {
    const { settled } = responseOf(await deps.boss.touch(queue, [...held.values()]));
    const alive = new Set(settled ?? []);
    for (const id of [...held.keys()]) if (!alive.has(id)) held.delete(id);
  } catch {
    // The database is away: the next beat tells, and no settle can go through meanwhile.
  }
}
