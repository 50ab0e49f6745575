import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { TrackerCheckRunsWork } from "../db/types.ts";
import type { Queue } from "../queue/reasons.ts";

/** The counts of one page of a check. */
interface PageCount {
  seen: number;
  missing?: number;
  repaired?: number;
  /** Customers who lack the keys to be compared. */
  unlinked?: number;
}

/**
 * Begins a run. A former run without an end becomes UNFINISHED, and its pages in the queue count nowhere. Returns the id.
 */
export async function startRun(trx: Trx, { work, vendor, taskId, window }: {
  work: TrackerCheckRunsWork;
  vendor: Queue;
  taskId: number;
  window?: { from: Date; until: Date };
}): Promise<number> {
  await trx.updateTable("tracker.check_runs")
    .set({ state: "UNFINISHED", ended_at: sql<Date>`clockwork.now()` })
    .where("work", "=", work).where("vendor", "=", vendor).where("state", "=", "RUNNING")
    .execute();
  const { id } = await trx.insertInto("tracker.check_runs")
    .values({
      work,
      vendor,
      task_id: taskId,
      window_from: window?.from ?? null,
      window_until: window?.until ?? null,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

/**
 * Counts page `page` (from 0) of a run, once; the last one ends the run. False: the page was counted before, or the run
 * is over, and the caller must not go on to the next page.
 */
export async function countPage(
  trx: Trx,
  runId: number,
  page: number,
  { seen, missing = 0, repaired = 0, unlinked = 0 }: PageCount,
  isLast: boolean,
): Promise<boolean> {
  const counted = await trx.updateTable("tracker.check_runs")
    .set((eb) => ({
      pages: eb("pages", "+", 1),
      seen: eb("seen", "+", seen),
      missing: eb("missing", "+", missing),
      repaired: eb("repaired", "+", repaired),
      unlinked: eb("unlinked", "+", unlinked),
      ...(isLast ? { state: "DONE", ended_at: sql<Date>`clockwork.now()` } : {}),
    }))
    .where("id", "=", runId).where("state", "=", "RUNNING").where("pages", "=", page)
    .returning("id")
    .executeTakeFirst();
  return counted !== undefined;
}

/** Counts missing and repaired things after their page was counted: also when the run has ended. */
export async function countLater(
  trx: Trx,
  runId: number,
  { missing, repaired }: { missing: number; repaired: number },
): Promise<void> {
  if (missing === 0 && repaired === 0) return;
  await trx.updateTable("tracker.check_runs")
    .set((eb) => ({ missing: eb("missing", "+", missing), repaired: eb("repaired", "+", repaired) }))
    .where("id", "=", runId)
    .execute();
}

/** The end of the window of a vendor's last complete completeness check; null when there is none. */
export async function lastWindowEnd(db: Database, vendor: Queue): Promise<Date | null> {
  const row = await db.selectFrom("tracker.check_runs").select("window_until")
    .where("work", "=", "completeness").where("vendor", "=", vendor).where("state", "=", "DONE")
    .orderBy("window_until", "desc").limit(1)
    .executeTakeFirst();
  return row?.window_until ?? null;
}
