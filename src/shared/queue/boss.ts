import { CompiledQuery } from "kysely";
import { fromKysely, PgBoss } from "pg-boss";
import type { Database, Trx } from "../db/database.ts";
import { z } from "zod";
import type { Queue } from "./reasons.ts";

/** Jobs whose drain died on the last try; their tasks go to a person. */
export const DEAD_LETTER_QUEUE = "dead_letter";

/** A job without a sign of life for this long is taken from its drain and tried again. */
export const HEARTBEAT_SECONDS = 30;

/** A job carries its task's id and nothing else. */
export interface TaskJob {
  task_id: number;
}

/** One fetched attempt of a job: what a settle or a touch must name, so that a stale drain cannot settle a newer one. */
export interface JobAttempt {
  id: string;
  retryCount: number;
}

export interface RetryPolicy {
  retryLimit: number;
  retryDelaySeconds: number;
  retryDelayMaxSeconds: number;
}

/**
 * pg-boss without its timers: never started, no pool of its own. It gives the timing (retry, backoff, expiry,
 * heartbeat, dead letter); `clockwork.tasks` is the truth about the work.
 */
export function makeBoss(db: Database): PgBoss {
  const executeSql = async (text: string, values: unknown[] = []) => {
    const { rows } = await db.executeQuery(CompiledQuery.raw(text, values));
    return { rows: [...rows] };
  };
  const boss = new PgBoss({
    db: { executeSql },
    schema: "pgboss",
    migrate: false,
    schedule: false,
    supervise: false,
    // supervise() is called on every tick: each pass looks for expired and silent jobs.
    monitorIntervalSeconds: 5,
  });
  boss.on("error", () => {});
  return boss;
}

/** Runs a pg-boss call inside our transaction. Only insert, fetch, complete, fail, touch and findJobs may. */
export function within(trx: Trx): { db: ReturnType<typeof fromKysely> } {
  return { db: fromKysely(trx) };
}

const commandResponse = z.object({ affected: z.number(), settled: z.array(z.string()).nullish() });

/** What complete, fail and touch answer: how many jobs were hit, and which. pg-boss documents it but hides it in its types. */
export function responseOf(response: object): z.output<typeof commandResponse> {
  return commandResponse.parse(response);
}

/**
 * Creates what is missing and brings the retry policy of each queue in line with `clockwork.vendors`; one statement when
 * all is well. Then has pg-boss look each queue up: it does so at a queue's first use, through a connection of its own,
 * and inside our transactions that would be one more than the pool has, when several queues begin side by side.
 */
export async function prepareQueues(boss: PgBoss, policies: ReadonlyMap<Queue, RetryPolicy>): Promise<void> {
  const known = new Map((await boss.getQueues()).map((queue) => [queue.name, queue]));
  const prepare = async (name: string, options: QueueOptions) => {
    const found = known.get(name);
    if (!found) await boss.createQueue(name, options);
    else if (!isAsIn(options, found)) await boss.updateQueue(name, options);
    await boss.findJobs(name, { id: NO_JOB });
  };
  const finished = { deleteAfterSeconds: 3600 };
  await prepare(DEAD_LETTER_QUEUE, { ...finished, retryLimit: 0, heartbeatSeconds: HEARTBEAT_SECONDS });
  for (const [queue, policy] of policies) {
    await prepare(queue, {
      ...finished,
      retryLimit: policy.retryLimit,
      retryDelay: policy.retryDelaySeconds,
      retryBackoff: true,
      retryDelayMax: policy.retryDelayMaxSeconds,
      // Far beyond any step: liveness is told by the heartbeat.
      expireInSeconds: 900,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      deadLetter: DEAD_LETTER_QUEUE,
    });
  }
}

type QueueOptions = NonNullable<Parameters<PgBoss["createQueue"]>[1]>;

const NO_JOB = "00000000-0000-0000-0000-000000000000";

function isAsIn(options: QueueOptions, found: QueueOptions): boolean {
  const asFound: Record<string, unknown> = { ...found };
  return Object.entries(options).every(([name, value]) => asFound[name] === value);
}
