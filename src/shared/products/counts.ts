import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import type { DataOf } from "../queue/step-data.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import { isPaused } from "./judge.ts";

export type CountedSystem = DataOf<"product.check_key">["system"];

export interface KeyCount {
  inUse: number;
  paused: number;
}

/** Nothing is charged for it any more, or ever was: the first payment of an incomplete one was never made. */
const NOT_IN_USE = new Set(["canceled", "incomplete", "incomplete_expired"]);

/**
 * How many subscription items use each price. In use is whatever can still be charged for: also what is past due or
 * unpaid, ends with its period, or has a status that is new at Stripe. Paused is counted apart.
 */
export function countPrices(subscriptions: readonly StripeSubscription[]): Map<string, KeyCount> {
  const counts = new Map<string, KeyCount>();
  for (const subscription of subscriptions) {
    if (NOT_IN_USE.has(subscription.status) || subscription.endedAt) continue;
    for (const { priceId } of subscription.items) add(counts, priceId, isPaused(subscription));
  }
  return counts;
}

/** How many active prescriptions each treatment has at the pharmacy. */
export function countTreatments(
  prescriptions: readonly { treatmentId: string; active: boolean }[],
): Map<string, KeyCount> {
  const counts = new Map<string, KeyCount>();
  for (const { treatmentId, active } of prescriptions) if (active) add(counts, treatmentId, false);
  return counts;
}

function add(counts: Map<string, KeyCount>, key: string, paused: boolean): void {
  const { inUse, paused: alreadyPaused } = counts.get(key) ?? { inUse: 0, paused: 0 };
  counts.set(key, { inUse: inUse + (paused ? 0 : 1), paused: alreadyPaused + (paused ? 1 : 0) });
}

/** Adds a page to a run's counts. Only in the transaction that counts the page, so that each is added once. */
export async function addCounts(
  trx: Trx,
  runId: number,
  system: CountedSystem,
  counts: ReadonlyMap<string, KeyCount>,
): Promise<void> {
  if (counts.size === 0) return;
  await trx
    .insertInto("tracker.product_counts")
    .values([...counts].map(([key, { inUse, paused }]) => ({
      run_id: runId,
      system,
      key,
      in_use: inUse,
      paused,
    })))
    .onConflict((conflict) =>
      conflict.columns(["run_id", "system", "key"]).doUpdateSet({
        in_use: sql<number>`product_counts.in_use + excluded.in_use`,
        paused: sql<number>`product_counts.paused + excluded.paused`,
      })
    )
    .execute();
}
