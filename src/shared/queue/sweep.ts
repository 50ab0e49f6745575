import { sql } from "kysely";
import type { PgBoss } from "pg-boss";
import { asClockwork } from "../db/database.ts";
import { DEAD_LETTER_QUEUE, type TaskJob } from "./boss.ts";
import type { Deps } from "./deps.ts";
import { type Queue, reason, type ReasonCode } from "./reasons.ts";
import { reasonText } from "./tasks.ts";

/** A task QUEUED for longer than this is checked against pg-boss. */
const QUEUED_TOO_LONG = "1 hour";
/** So that no drain spends its time on checking. */
const CHECKS_A_SWEEP = 50;

/**
 * Level-triggered repair, run at the start of each drain: takes jobs from dead drains, moves the tasks of dead
 * letters to a person, and puts a task whose job pg-boss no longer knows back to PENDING. Gives how many it moved.
 */
export async function sweep(deps: Deps, boss: PgBoss, queues: readonly Queue[]): Promise<number> {
  await boss.supervise();
  return (await readDeadLetters(deps, boss)) + (await checkLongQueued(deps, boss, queues));
}

/** The dead letter queue carries just the jobs whose drain died on the last try. */
async function readDeadLetters(deps: Deps, boss: PgBoss): Promise<number> {
  let moved = 0;
  for (;;) {
    const letters = await boss.fetch<TaskJob>(DEAD_LETTER_QUEUE, { batchSize: 50, includeMetadata: true });
    if (letters.length === 0) return moved;
    for (const letter of letters) {
      if (letter.sourceId) {
        moved += await moveByJob(deps, letter.sourceId, "MANUAL_INTERVENTION", "DRAIN_DIED");
      }
    }
    await boss.complete(DEAD_LETTER_QUEUE, letters.map(({ id, retryCount }) => ({ id, retryCount })));
  }
}

async function checkLongQueued(deps: Deps, boss: PgBoss, queues: readonly Queue[]): Promise<number> {
  const tasks = await deps.db
    .selectFrom("clockwork.tasks")
    .select(["job_id", "vendor"])
    .where("status", "=", "QUEUED")
    .where("updated_at", "<", sql<Date>`clockwork.now() - ${QUEUED_TOO_LONG}::interval`)
    .orderBy("updated_at")
    .limit(CHECKS_A_SWEEP)
    .execute();
  let moved = 0;
  for (const { job_id: jobId, vendor } of tasks) {
    const queue = queues.find((name) => name === vendor);
    if (!jobId || !queue) continue;
    const [job] = await boss.findJobs<TaskJob>(queue, { id: jobId });
    const isAlive = job && ["created", "retry", "active"].includes(job.state);
    if (!isAlive) moved += await moveByJob(deps, jobId, "PENDING", null);
  }
  return moved;
}

/** Moves the task that is still QUEUED under this job. */
async function moveByJob(
  deps: Deps,
  jobId: string,
  status: "PENDING" | "MANUAL_INTERVENTION",
  code: ReasonCode | null,
): Promise<number> {
  const why = code && reason(code);
  return await asClockwork(deps.db, "sweep", async (trx) => {
    const rows = await trx
      .updateTable("clockwork.tasks")
      .set({
        status,
        job_id: null,
        reason: why ? reasonText(why) : null,
        reason_code: why ? why.code : null,
        run_after: sql<Date>`clockwork.now()`,
      })
      .where("status", "=", "QUEUED")
      .where("job_id", "=", jobId)
      .returning("id")
      .execute();
    return rows.length;
  });
}
