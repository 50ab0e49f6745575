import type { Database } from "../db/database.ts";
import { noneOpen } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";

/** Subscriptions that one run checks at most. */
const MISSED_AT_ONCE = 500;

/**
 * Checks of the subscriptions that the run since `beganAt` did not list; none for one with an open check.
 * @param onLastPage subscriptions whose looks are not recorded yet
 */
export async function missedSince(
  db: Database,
  beganAt: Date,
  onLastPage: readonly string[],
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
  return rows.filter(({ subscription_id }) => !onLastPage.includes(subscription_id))
    .map((data): FollowUp => ({ step: "renewal.check", data }));
}
