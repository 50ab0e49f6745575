import { sql } from "kysely";
import type { Deps } from "./deps.ts";
import type { Queue } from "./reasons.ts";

/** Renewed with every batch and every heartbeat (10 s): a drain that died keeps its queues no longer than this. */
export const QUEUE_LEASE_SECONDS = 35;

/**
 * Takes the queue for this drain, or returns false: another drain works it. It only keeps the vendors' rates; nothing is
 * correct because of it.
 */
export async function leaseQueue(
  deps: Deps,
  queue: Queue,
  drainId: string,
  seconds = QUEUE_LEASE_SECONDS,
): Promise<boolean> {
  const row = await deps.db
    .updateTable("clockwork.vendors")
    .set({ leased_by: drainId, leased_until: sql`clockwork.now() + ${`${seconds} seconds`}::interval` })
    .where("vendor", "=", queue)
    .where((eb) =>
      eb.or([
        eb("leased_until", "is", null),
        eb("leased_until", "<", sql<Date>`clockwork.now()`),
        eb("leased_by", "=", drainId),
      ])
    )
    .returning("vendor")
    .executeTakeFirst();
  return row !== undefined;
}

export async function releaseQueue(deps: Deps, queue: Queue, drainId: string): Promise<void> {
  await deps.db
    .updateTable("clockwork.vendors")
    .set({ leased_by: null, leased_until: null })
    .where("vendor", "=", queue)
    .where("leased_by", "=", drainId)
    .execute();
}
