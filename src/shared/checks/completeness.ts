import { DAY_MS } from "../day.ts";
import type { Database, Trx } from "../db/database.ts";
import { recordEvents } from "../ingest/record.ts";
import { type FollowUp, reason } from "../queue/reasons.ts";
import type { DataOf } from "../queue/step-data.ts";
import type { Outcome, StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { VendorEvent } from "../vendors/webhook.ts";
import { askAboutEndpoint, type CheckedVendor } from "./endpoint.ts";
import { countPage, lastWindowEnd, startRun } from "./runs.ts";

/** Webhooks of the last minutes may still be on their way, and a list may lag behind what happened. */
const UNDER_WAY_MINUTES = 10;

/**
 * A window begins a little before the former one ended: a vendor's clock may be off from ours, and what it wrote down
 * may show in its list later than the time it bears. What is seen twice is taken up once, so it only costs reading.
 */
const OVERLAP_MINUTES = 60;

/**
 * As far as the very first run looks back, and no further than Clockwork does the work: a charge of the day before was
 * shipped by whoever was there before, and would ship twice.
 */
const FIRST_RUN_DAYS = 3;

/**
 * A page costs some 25 ms of CPU, ten times an ordinary task, and one edge call has two seconds: after so many pages the
 * next tick goes on. A night of 100,000 events takes ten minutes.
 */
const PAGES_AT_ONCE = 20;
const REST_SECONDS = 10;

const MINUTE_MS = 60_000;

/** Where a page begins; absent: at the beginning. */
export interface Place {
  list?: string | undefined;
  cursor?: string | undefined;
}

export interface Window {
  from: Date;
  until: Date;
}

/** One page of what a vendor says happened. */
export interface Look {
  seen: number;
  /** What of it was never received; asked in the transaction that settles the page, after the vendor was read. */
  missing(trx: Trx): Promise<readonly VendorEvent[]>;
  next: Place | null;
}

type CheckStep = "completeness.stripe" | "completeness.health" | "completeness.pharmacy";

/** How one vendor is asked. */
export interface Feed {
  step: CheckStep;
  /** Its queue, and the source its events are named by. */
  vendor: CheckedVendor;
  /** How many days back it lists; absent: all of them. */
  keepsDays?: number;
  look(ctx: StepContext, run: Window & { id: number }, place: Place): Promise<Look>;
  /** What becomes of the time that nobody can list any more. */
  outOfReach?(trx: Trx, gap: Window): Promise<FollowUp[]>;
}

/**
 * The completeness check of a vendor: a run is a chain of tasks, one a page. The first only writes the run down, so that
 * a night on which the vendor is away is seen as a run without an end. A page and what it took up are counted in one
 * transaction with its task.
 */
export async function checkCompleteness(
  ctx: StepContext,
  data: DataOf<CheckStep>,
  feed: Feed,
): Promise<Outcome> {
  const { run_id: runId, page = 0, list, cursor } = data;
  if (runId === undefined) return await begin(ctx, feed);
  const run = await awaiting(ctx.deps.db, runId, page);
  if (!run) return { kind: "cancelled", reason: reason("CHECK_OVERTAKEN") };
  const { seen, missing, next } = await feed.look(ctx, run, { list, cursor });
  return {
    kind: "done",
    commit: async (trx): Promise<FollowUp[]> => {
      // Locked first: what is taken up must be counted, and another run of this very page may have done both.
      if (!(await awaiting(trx, runId, page, "lock"))) return [];
      const taken = await recordEvents(trx, ctx.steps, feed.vendor, await missing(trx), ctx.task.id);
      const count = { seen, missing: taken.length, repaired: taken.length };
      await countPage(trx, runId, page, count, next === null);
      if (next === null) return await askAboutEndpoint(trx, feed.vendor);
      const rests = (page + 1) % PAGES_AT_ONCE === 0;
      return [{
        step: feed.step,
        data: { run_id: runId, page: page + 1, ...next },
        ...(rests ? { runAfter: new Date(ctx.now().getTime() + REST_SECONDS * 1000) } : {}),
      }];
    },
  };
}

async function begin(ctx: StepContext, { step, vendor, keepsDays, outOfReach }: Feed): Promise<Outcome> {
  const now = ctx.now().getTime();
  const until = new Date(now - UNDER_WAY_MINUTES * MINUTE_MS);
  const lastEnd = await lastWindowEnd(ctx.deps.db, "completeness", vendor);
  const { began_at: beganAt } = await ctx.deps.db.selectFrom("clockwork.settings").select("began_at")
    .executeTakeFirstOrThrow();
  const wanted = lastEnd
    ? lastEnd.getTime() - OVERLAP_MINUTES * MINUTE_MS
    : Math.max(until.getTime() - FIRST_RUN_DAYS * DAY_MS, beganAt.getTime());
  const reach = keepsDays === undefined ? -Infinity : now - keepsDays * DAY_MS;
  const from = new Date(Math.min(Math.max(wanted, reach), until.getTime()));
  return {
    kind: "done",
    commit: async (trx) => {
      const runId = await startRun(trx, {
        work: "completeness",
        vendor,
        taskId: ctx.task.id,
        window: { from, until },
      });
      // Pages of former runs that stopped find out that they are not needed, and end.
      await wakeTasks(trx, { step, has: "run_id" });
      const lost = lastEnd && lastEnd < from && outOfReach
        ? await outOfReach(trx, { from: lastEnd, until: from })
        : [];
      return [{ step, data: { run_id: runId, page: 0 } }, ...lost];
    },
  };
}

/** The run, when this page is the one it waits for. */
async function awaiting(
  db: Database | Trx,
  runId: number,
  page: number,
  lock?: "lock",
): Promise<Window & { id: number } | undefined> {
  const run = await db.selectFrom("tracker.check_runs")
    .select(["window_from", "window_until"])
    .where("id", "=", runId).where("work", "=", "completeness").where("state", "=", "RUNNING")
    .where("pages", "=", page)
    .$if(lock !== undefined, (query) => query.forUpdate())
    .executeTakeFirst();
  return run?.window_from && run.window_until
    ? { id: runId, from: run.window_from, until: run.window_until }
    : undefined;
}
