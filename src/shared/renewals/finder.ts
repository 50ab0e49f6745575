import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { noneOpen } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";

/** Subscriptions that one run checks at most. */
const MISSED_AT_ONCE = 500;

/** Subscriptions that a run did not list. */
interface Missed {
  /** No check of them is open. */
  unchecked: readonly string[];
  /** A check is open: under way, or a question to a person, which may have lost its cause with the subscription. */
  checked: readonly string[];
}

/**
 * The subscriptions that the run since `beganAt` did not list.
 * @param onLastPage subscriptions whose looks are not recorded yet
 */
export async function missedSince(
  db: Database,
  beganAt: Date,
  onLastPage: readonly string[],
): Promise<Missed> {
  const isUnchecked = noneOpen("renewal.check", "subscription_id", "tracker.refills.subscription_id");
  const missed = db
    .selectFrom("tracker.refills")
    .select("subscription_id")
    .distinct()
    .where("looked_at", "<", beganAt)
    .where("finding", "<>", "INACTIVE")
    .where(sql<boolean>`subscription_id <> all (${onLastPage}::text[])`)
    .limit(MISSED_AT_ONCE);
  const unchecked = await missed.where(isUnchecked).execute();
  const checked = await missed.where((eb) => eb.not(isUnchecked)).execute();
  const idsOf = (rows: typeof checked) => rows.map(({ subscription_id }) => subscription_id);
  return { unchecked: idsOf(unchecked), checked: idsOf(checked) };
}

/** Checks each of them: a question's own task looks again, so that it ends where its subscription has. */
export async function checkMissed(trx: Trx, { unchecked, checked }: Missed): Promise<FollowUp[]> {
  await wakeTasks(trx, { step: "renewal.check", about: { subscription_id: checked } });
  return unchecked.map((subscription_id): FollowUp => ({ step: "renewal.check", data: { subscription_id } }));
}
