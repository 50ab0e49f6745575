import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { TrackerCheckRunsWork } from "../db/types.ts";
import type { Queue } from "../queue/reasons.ts";

/** The counts of one page of a check. */
interface PageCount {
  seen: number;
  missing: number;
  repaired: number;
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
  count: PageCount,
  isLast: boolean,
): Promise<boolean> {
  const counted = await trx.updateTable("tracker.check_runs")
    .set((eb) => ({
      pages: eb("pages", "+", 1),
      seen: eb("seen", "+", count.seen),
      missing: eb("missing", "+", count.missing),
      repaired: eb("repaired", "+", count.repaired),
      unlinked: eb("unlinked", "+", count.unlinked ?? 0),
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
  count: Pick<PageCount, "missing" | "repaired">,
): Promise<void> {
  if (count.missing === 0 && count.repaired === 0) return;
  await trx.updateTable("tracker.check_runs")
    .set((eb) => ({
      missing: eb("missing", "+", count.missing),
      repaired: eb("repaired", "+", count.repaired),
    }))
    .where("id", "=", runId)
    .execute();
}

/** The end of the last complete run's window; null when there is none. */
export async function lastWindowEnd(
  db: Database,
  work: TrackerCheckRunsWork,
  vendor: Queue,
): Promise<Date | null> {
  const row = await db.selectFrom("tracker.check_runs").select("window_until")
    .where("work", "=", work).where("vendor", "=", vendor).where("state", "=", "DONE")
    .orderBy("window_until", "desc").limit(1)
    .executeTakeFirst();
  return row?.window_until ?? null;
}
