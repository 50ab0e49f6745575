import { sql } from "kysely";
import type { PgBoss } from "pg-boss";
import { claim, workBatch } from "./batch.ts";
import { prepareQueues, type QueuePolicy } from "./boss.ts";
import type { Deps } from "./deps.ts";
import { VendorGate } from "./gate.ts";
import { leaseQueue, releaseQueue } from "./lease.ts";
import { type Queue, QUEUES } from "./reasons.ts";
import { nameOf } from "./run.ts";
import { sweep } from "./sweep.ts";
import type { DrainDeps, DrainReport, Turn } from "./turn.ts";

/** One edge call may live 150 s. A drain stops taking work well before, and the next tick goes on. */
const DRAIN_BUDGET_MS = 50_000;
/** One edge call has 2 s of CPU. A task costs about 2 ms, measured under Deno, `order.place` with its ten calls included. */
const DRAIN_BUDGET_TASKS = 500;
/** Tasks taken at once, per unit of concurrency. */
const BATCH_PER_WORKER = 4;

/**
 * Runs due tasks of all queues side by side, until none is left or the budget is used up. A queue that is paused, or that
 * another drain has leased, is left out. Safe to call at any time, doubled or overlapping.
 */
export async function drain(deps: DrainDeps): Promise<DrainReport> {
  const startedAt = performance.now();
  const report: DrainReport = { settled: 0, retried: 0, stopped: 0, lost: 0, swept: 0, milliseconds: 0 };
  const settings = await deps.db.selectFrom("clockwork.settings").select("maintenance")
    .executeTakeFirstOrThrow();
  if (settings.maintenance) return report;
  const queues = await readQueues(deps);
  await prepareQueuesOnce(deps.boss, queues);
  report.swept = await sweep(deps, deps.boss);
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
  // Round after round, so that a follow-up in another queue does not wait for the next tick.
  for (let worked = 1; worked > 0 && hasBudget();) {
    const busy = await queuesWithWork(deps);
    const counts = await Promise.all(
      queues.filter(({ vendor }) => busy.has(vendor)).map((queue) => drainQueue(turn, queue, hasBudget)),
    );
    worked = counts.reduce((sum, count) => sum + count, 0);
  }
  await gate.flush();
  report.milliseconds = Math.round(performance.now() - startedAt);
  deps.log("drained", { ...report });
  return report;
}

interface QueueSettings extends QueuePolicy {
  concurrency: number;
}

async function readQueues(deps: Deps): Promise<QueueSettings[]> {
  const rows = await deps.db.selectFrom("clockwork.vendors")
    .select(["vendor", "concurrency", "retry_limit", "retry_delay_seconds", "retry_delay_max_seconds"])
    .execute();
  return QUEUES.map((queue) => {
    const row = rows.find(({ vendor }) => vendor === queue);
    if (!row) throw new Error(`clockwork.vendors has no row for ${queue}`);
    return row;
  });
}

/** The queues that have something due or under way. Draining one that has nothing costs ten statements. */
async function queuesWithWork(deps: Deps): Promise<Set<Queue>> {
  const { rows } = await sql<{ vendor: Queue }>`
    select vendors.vendor from clockwork.vendors
    where exists (
        select from clockwork.tasks
        where tasks.vendor = vendors.vendor and tasks.status = 'PENDING' and tasks.run_after <= clockwork.now())
      or exists (select from clockwork.tasks where tasks.vendor = vendors.vendor and tasks.status = 'QUEUED')
  `.execute(deps.db);
  return new Set(rows.map(({ vendor }) => vendor));
}

const preparedPolicies = new WeakMap<PgBoss, string>();

/** createQueue and updateQueue commit by themselves and cost a lock: called only when the policies changed. */
async function prepareQueuesOnce(boss: PgBoss, queues: readonly QueuePolicy[]): Promise<void> {
  const policies = JSON.stringify(queues);
  if (preparedPolicies.get(boss) === policies) return;
  await prepareQueues(boss, queues);
  preparedPolicies.set(boss, policies);
}

/** Works one queue until it is empty, held, or the budget is used up. Returns how many jobs it took. */
async function drainQueue(
  turn: Turn,
  { vendor: queue, concurrency }: QueueSettings,
  hasBudget: () => boolean,
): Promise<number> {
  const { deps, gate, drainId } = turn;
  let taken = 0;
  try {
    while (hasBudget()) {
      // A person may have set a pause or maintenance meanwhile.
      await gate.refresh();
      if (gate.isHeld(queue) || !(await leaseQueue(deps, queue, drainId))) break;
      const limit = gate.isProbing(queue) ? 1 : concurrency * BATCH_PER_WORKER;
      const claimed = await claim(deps, queue, limit);
      const worked = await workBatch(turn, queue, concurrency, limit);
      taken += worked;
      // Not full: the next round finds the tasks that became due meanwhile, with one statement for all queues.
      if (claimed < limit && worked < limit) break;
    }
  } catch (error) {
    deps.log("drain_failed", { queue, error: nameOf(error) });
  } finally {
    await releaseQueue(deps, queue, drainId).catch(() => {});
  }
  return taken;
}
