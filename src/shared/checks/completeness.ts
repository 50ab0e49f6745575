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

/** Webhooks of the last minutes may still be on their way, and a list may lag behind the events. */
const UNDER_WAY_MINUTES = 10;

/**
 * A window begins before the former one ended. A vendor's clock may be off from ours, and its list may show an event later
 * than the event's time. An event that is read twice is recorded once.
 */
const OVERLAP_MINUTES = 60;

/**
 * The very first run looks back so far, but not behind `settings.began_at`: the system before Clockwork shipped an earlier
 * charge, and it would ship twice.
 */
const FIRST_RUN_DAYS = 3;

/**
 * A page costs some 25 ms of CPU, ten times an ordinary task, and one edge call has 2 s. After so many pages the run rests
 * until the next tick. A night of 100,000 events takes ten minutes.
 */
const PAGES_AT_ONCE = 20;
const REST_SECONDS = 10;

const MINUTE_MS = 60_000;

/** The begin of a page; empty for the first. */
interface Position {
  list?: string | undefined;
  cursor?: string | undefined;
}

export interface Window {
  from: Date;
  until: Date;
}

interface Run extends Window {
  id: number;
}

/** One page of a vendor's list. */
export interface Page {
  seen: number;
  /** The events that are perhaps not recorded yet; read in the transaction that settles the page, after the vendor. */
  missing(trx: Trx): readonly VendorEvent[] | Promise<readonly VendorEvent[]>;
  next: Position | null;
}

type CheckStep = "completeness.stripe" | "completeness.health" | "completeness.pharmacy";

/** A vendor's lists. */
export interface Feed {
  step: CheckStep;
  /** Its queue, and the source in its events' names. */
  vendor: CheckedVendor;
  /** How many days back it lists; absent: all of them. */
  keepsDays?: number;
  read(ctx: StepContext, run: Run, position: Position): Promise<Page>;
  /** The follow-ups for a time that the vendor no longer lists. */
  outOfReach?(trx: Trx, gap: Window): Promise<FollowUp[]>;
}

/**
 * The completeness check of a vendor: a run is a chain of tasks, one a page. The first task only records the run, so that
 * a night on which the vendor is away shows as a run without an end. One transaction settles a page's task, records its
 * events and counts them.
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
  const { seen, missing, next } = await feed.read(ctx, run, { list, cursor });
  return {
    kind: "done",
    commit: async (trx): Promise<FollowUp[]> => {
      // Locked first: another run of this page may have recorded and counted its events.
      if (!(await awaiting(trx, runId, page, "lock"))) return [];
      const taken = await recordEvents(trx, ctx.steps, feed.vendor, await missing(trx), ctx.task.id);
      const count = { seen, missing: taken.length, repaired: taken.length };
      await countPage(trx, runId, page, count, next === null);
      if (next === null) return await askAboutEndpoint(trx, feed.vendor);
      const followUp = { step: feed.step, data: { run_id: runId, page: page + 1, ...next } };
      if ((page + 1) % PAGES_AT_ONCE !== 0) return [followUp];
      return [{ ...followUp, runAfter: new Date(ctx.now().getTime() + REST_SECONDS * 1000) }];
    },
  };
}

async function begin(ctx: StepContext, { step, vendor, keepsDays, outOfReach }: Feed): Promise<Outcome> {
  const now = ctx.now().getTime();
  const until = new Date(now - UNDER_WAY_MINUTES * MINUTE_MS);
  const lastEnd = await lastWindowEnd(ctx.deps.db, vendor);
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
      const window = { from, until };
      const runId = await startRun(trx, { work: "completeness", vendor, taskId: ctx.task.id, window });
      // Stopped pages of former runs run again, find that they are not needed, and end.
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
): Promise<Run | undefined> {
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
