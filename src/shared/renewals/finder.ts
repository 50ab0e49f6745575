import type { Database } from "../db/database.ts";
import { noneOpen } from "../queue/open.ts";
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
    .where(noneOpen("renewal.check", "subscription_id", "tracker.refills.subscription_id"))
    .limit(MISSED_AT_ONCE)
    .execute();
  const seen = new Set(seenNow);
  return rows.filter((row) => !seen.has(row.subscription_id)).map((row): FollowUp => ({
    step: "renewal.check",
    data: { subscription_id: row.subscription_id },
  }));
}
