import { sql } from "kysely";
import type { PgBoss } from "pg-boss";
import { claim, workBatch } from "./batch.ts";
import { prepareQueues, type RetryPolicy } from "./boss.ts";
import type { Deps } from "./deps.ts";
import { leaseQueue, QUEUE_LEASE_SECONDS, releaseQueue, VendorGate } from "./gate.ts";
import { type Queue, QUEUES } from "./reasons.ts";
import { sweep } from "./sweep.ts";
import type { DrainDeps, DrainReport, Turn } from "./turn.ts";

/** One edge call may live 150 s; a drain stops taking work well before, and the next tick goes on. */
export const DRAIN_BUDGET_MS = 50_000;
/** One edge call has 2 s of CPU, and a task costs about 2 ms of it (measured under Deno, order.place with its ten calls included). */
export const DRAIN_BUDGET_TASKS = 500;
/** Tasks taken at once, per unit of concurrency. */
const BATCH_PER_WORKER = 4;

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
  const turn: Turn = {
    deps,
    gate,
    report,
    drainId: crypto.randomUUID(),
    spent: 0,
    hasTime: () => performance.now() - startedAt < budget.milliseconds,
  };
  const hasBudget = () => turn.hasTime() && Math.max(turn.spent, report.settled + report.lost) < budget.tasks;
  // Round after round: what one queue's work asks of another does not wait for the next tick.
  for (let worked = 1; worked > 0 && hasBudget();) {
    const busy = await queuesWithWork(deps);
    const counts = await Promise.all(
      [...queues].filter(([queue]) => busy.has(queue))
        .map(([queue, { concurrency }]) => drainQueue(turn, queue, concurrency, hasBudget)),
    );
    worked = counts.reduce((sum, count) => sum + count, 0);
  }
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
  for (const queue of QUEUES) {
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

/** The queues that have something due or under way: looking into one that has nothing costs ten statements. */
async function queuesWithWork(deps: DrainDeps): Promise<Set<string>> {
  const { rows } = await sql<{ vendor: string }>`
    select vendors.vendor from clockwork.vendors
    where exists (
        select from clockwork.tasks
        where tasks.vendor = vendors.vendor and tasks.status = 'PENDING' and tasks.run_after <= clockwork.now())
      or exists (select from clockwork.tasks where tasks.vendor = vendors.vendor and tasks.status = 'QUEUED')
  `.execute(deps.db);
  return new Set(rows.map(({ vendor }) => vendor));
}

const preparedPolicies = new WeakMap<PgBoss, string>();

/** createQueue and updateQueue commit by themselves and cost a lock: only when the policies changed. */
async function prepareQueuesOnce(boss: PgBoss, queues: ReadonlyMap<Queue, RetryPolicy>): Promise<void> {
  const policies = JSON.stringify([...queues]);
  if (preparedPolicies.get(boss) === policies) return;
  await prepareQueues(boss, queues);
  preparedPolicies.set(boss, policies);
}

/** Works one queue until it is empty, held, or the budget is used up. Gives how many jobs it took. */
async function drainQueue(
  turn: Turn,
  queue: Queue,
  concurrency: number,
  hasBudget: () => boolean,
): Promise<number> {
  const { deps, gate, drainId } = turn;
  let taken = 0;
  try {
    while (hasBudget()) {
      // A pause or maintenance that a person set meanwhile holds from here on.
      await gate.refresh();
      if (gate.isHeld(queue) || !(await leaseQueue(deps, queue, drainId, QUEUE_LEASE_SECONDS))) break;
      const limit = gate.isProbing(queue) ? 1 : concurrency * BATCH_PER_WORKER;
      const claimed = await claim(deps, queue, limit);
      const worked = await workBatch(turn, queue, concurrency, limit);
      taken += worked;
      // Not full: whatever became due meanwhile is found by the next round, which one statement for all queues decides.
      if (claimed < limit && worked < limit) break;
    }
  } catch (error) {
    const kind = error instanceof Error ? error.name : typeof error;
    deps.log("drain_failed", { queue, error: kind });
  } finally {
    await releaseQueue(deps, queue, drainId).catch(() => {});
  }
  return taken;
}
