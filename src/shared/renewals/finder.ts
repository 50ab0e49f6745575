import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { FollowUp } from "../queue/reasons.ts";

/** Refills whose subscription did not turn up in a run are asked about one by one, so many at most a run. */
const MISSED_AT_ONCE = 500;

/** Checks of the subscriptions that did not turn up since `beganAt`; none for one that is in front of a person. */
export async function missedSince(
  db: Database,
  beganAt: Date,
  seenNow: readonly string[],
): Promise<FollowUp[]> {
  const rows = await db
    .selectFrom("tracker.refills")
    .select("subscription_id")
    .distinct()
    .where("looked_at", "<", beganAt)
    .where("finding", "<>", "INACTIVE")
    .where(sql<boolean>`not exists (
      select from clockwork.tasks
      where tasks.step = 'renewal.check' and tasks.status in ('PENDING', 'QUEUED', 'MANUAL_INTERVENTION')
        and tasks.data ->> 'subscription_id' = refills.subscription_id)`)
    .limit(MISSED_AT_ONCE)
    .execute();
  const seen = new Set(seenNow);
  return rows.filter((row) => !seen.has(row.subscription_id)).map((row) => ({
    step: "renewal.check",
    data: { subscription_id: row.subscription_id },
  }));
}

/** A finder that has run for longer than this does not come to its end by itself. */
const LONGEST_RUN_HOURS = 12;

/** The former run, when it should have ended long ago and nobody is asked about such a run yet. */
export async function unfinishedFinder(
  trx: Trx,
  now: Date,
): Promise<{ startedAt: Date; pages: number } | null> {
  const run = await trx
    .selectFrom("tracker.check_runs")
    .select(["started_at", "pages"])
    .where("work", "=", "renewals")
    .where("state", "=", "RUNNING")
    .where("started_at", "<", new Date(now.getTime() - LONGEST_RUN_HOURS * 3_600_000))
    .executeTakeFirst();
  if (!run) return null;
  const asked = await trx
    .selectFrom("clockwork.tasks")
    .select("id")
    .where("status", "=", "MANUAL_INTERVENTION")
    .where("reason_code", "=", "FINDER_UNFINISHED")
    .executeTakeFirst();
  return asked ? null : { startedAt: run.started_at, pages: run.pages };
}
