import { sql } from "kysely";
import type { PgBoss } from "pg-boss";
import { asClockwork } from "../db/database.ts";
import { DEAD_LETTER_QUEUE, type TaskJob } from "./boss.ts";
import type { Deps } from "./deps.ts";
import { reason } from "./reasons.ts";
import { reasonText } from "./tasks.ts";

/** A task QUEUED for longer than this is compared with pg-boss. */
const QUEUED_TOO_LONG = "1 hour";
/** The limit keeps a drain from spending its time on comparing. */
const CHECKS_A_SWEEP = 50;

/**
 * Level-triggered repair at the start of each drain: takes jobs from dead drains, stops the tasks of dead letters, and sets
 * tasks without a live job back to PENDING. Returns how many tasks it moved.
 */
export async function sweep(deps: Deps, boss: PgBoss): Promise<number> {
  await boss.supervise();
  return (await readDeadLetters(deps, boss)) + (await checkLongQueued(deps, boss));
}

async function readDeadLetters(deps: Deps, boss: PgBoss): Promise<number> {
  let moved = 0;
  for (;;) {
    const letters = await boss.fetch<TaskJob>(DEAD_LETTER_QUEUE, { batchSize: 50, includeMetadata: true });
    if (letters.length === 0) return moved;
    for (const letter of letters) {
      if (letter.sourceId) moved += await moveByJob(deps, letter.sourceId, "MANUAL_INTERVENTION");
    }
    await boss.complete(DEAD_LETTER_QUEUE, letters.map(({ id, retryCount }) => ({ id, retryCount })));
  }
}

async function checkLongQueued(deps: Deps, boss: PgBoss): Promise<number> {
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
    if (!jobId) continue;
    const [job] = await boss.findJobs<TaskJob>(vendor, { id: jobId });
    const isAlive = job && ["created", "retry", "active"].includes(job.state);
    if (!isAlive) moved += await moveByJob(deps, jobId, "PENDING");
  }
  return moved;
}

/** Moves the task that is still QUEUED under this job. */
async function moveByJob(
  deps: Deps,
  jobId: string,
  status: "PENDING" | "MANUAL_INTERVENTION",
): Promise<number> {
  const why = status === "PENDING" ? null : reason("DRAIN_DIED");
  return await asClockwork(deps.db, "sweep", async (trx) => {
    const rows = await trx
      .updateTable("clockwork.tasks")
      .set({
        status,
        job_id: null,
        reason: why && reasonText(why),
        reason_code: why && why.code,
        run_after: sql<Date>`clockwork.now()`,
      })
      .where("status", "=", "QUEUED")
      .where("job_id", "=", jobId)
      .returning("id")
      .execute();
    return rows.length;
  });
}
