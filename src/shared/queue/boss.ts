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

/** One fetched attempt of a job. A settle and a touch name it, so that a stale drain cannot settle a newer one. */
export interface JobAttempt {
  id: string;
  retryCount: number;
}

/** The columns of `clockwork.vendors` that pg-boss must know. */
export interface QueuePolicy {
  vendor: Queue;
  retry_limit: number;
  retry_delay_seconds: number;
  retry_delay_max_seconds: number;
}

/**
 * pg-boss without its timers: never started, no pool of its own. It keeps retry, backoff, expiry, heartbeat and dead
 * letter. `clockwork.tasks` alone says how the work stands.
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
    // Each tick calls supervise(), which searches for expired and silent jobs at most this often.
    monitorIntervalSeconds: 5,
  });
  boss.on("error", () => {});
  return boss;
}

/** Runs a pg-boss call inside our transaction. Only insert, fetch, complete, fail, touch and findJobs may. */
export function within(trx: Trx) {
  return { db: fromKysely(trx) };
}

const commandResponse = z.object({ affected: z.number(), settled: z.array(z.string()).nullish() });

/** The response of complete, fail and touch: the jobs that were hit. pg-boss documents it but hides it in its types. */
export function responseOf(response: object): z.output<typeof commandResponse> {
  return commandResponse.parse(response);
}

/**
 * Creates missing queues and sets each queue's retry policy to that of `clockwork.vendors`; one statement when all is well.
 * `findJobs` makes pg-boss read each queue now. At the first use it would do so on a second connection. Several queues
 * that begin side by side would then need more connections than the pool has.
 */
export async function prepareQueues(boss: PgBoss, policies: readonly QueuePolicy[]): Promise<void> {
  const known = new Map((await boss.getQueues()).map((queue) => [queue.name, queue]));
  const prepare = async (name: string, options: QueueOptions) => {
    const found = known.get(name);
    if (!found) await boss.createQueue(name, options);
    else if (!isAsIn(options, found)) await boss.updateQueue(name, options);
    await boss.findJobs(name, { id: NO_JOB });
  };
  const finished = { deleteAfterSeconds: 3600 };
  await prepare(DEAD_LETTER_QUEUE, { ...finished, retryLimit: 0, heartbeatSeconds: HEARTBEAT_SECONDS });
  for (const policy of policies) {
    await prepare(policy.vendor, {
      ...finished,
      retryLimit: policy.retry_limit,
      retryDelay: policy.retry_delay_seconds,
      retryBackoff: true,
      retryDelayMax: policy.retry_delay_max_seconds,
      // Far beyond any step: the heartbeat finds a dead drain.
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
