import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import type { DataOf } from "../queue/step-data.ts";
import { isInUse, isPaused, standingOf } from "../subscriptions/standing.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";

export type CountedSystem = DataOf<"product.check_key">["system"];

export interface KeyCount {
  inUse: number;
  paused: number;
}

/** Counts the subscription items of each price, paused ones apart. An item that ends with its period is still in use. */
export function countPrices(subscriptions: readonly StripeSubscription[]): Map<string, KeyCount> {
  const counts = new Map<string, KeyCount>();
  for (const subscription of subscriptions) {
    const standing = standingOf(subscription);
    if (!isInUse(standing)) continue;
    for (const { priceId } of subscription.items) add(counts, priceId, isPaused(standing));
  }
  return counts;
}

/** Counts the active prescriptions of each treatment at the pharmacy. */
export function countTreatments(
  prescriptions: readonly { treatmentId: string; active: boolean }[],
): Map<string, KeyCount> {
  const counts = new Map<string, KeyCount>();
  for (const { treatmentId, active } of prescriptions) if (active) add(counts, treatmentId, false);
  return counts;
}

function add(counts: Map<string, KeyCount>, key: string, isOfPaused: boolean): void {
  const count = counts.get(key) ?? { inUse: 0, paused: 0 };
  count[isOfPaused ? "paused" : "inUse"] += 1;
  counts.set(key, count);
}

/** Adds a page to a run's counts, in the transaction of `countPage`, so that each page is added once. */
export async function addCounts(
  trx: Trx,
  runId: number,
  system: CountedSystem,
  counts: ReadonlyMap<string, KeyCount>,
): Promise<void> {
  if (counts.size === 0) return;
  await trx
    .insertInto("tracker.product_counts")
    .values(
      [...counts].map(([key, { inUse, paused }]) => ({ run_id: runId, system, key, in_use: inUse, paused })),
    )
    .onConflict((conflict) =>
      conflict.columns(["run_id", "system", "key"]).doUpdateSet({
        in_use: sql<number>`product_counts.in_use + excluded.in_use`,
        paused: sql<number>`product_counts.paused + excluded.paused`,
      })
    )
    .execute();
}
