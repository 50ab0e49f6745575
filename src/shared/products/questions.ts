import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { type FollowUp, type Reason, reason } from "../queue/reasons.ts";
import type { CountedSystem } from "./counts.ts";

interface KeyInUse {
  key: string;
  state: string;
  used: number;
}

/** What a person must be asked about a key, or null. */
export function questionAboutKey(system: CountedSystem, { key, state, used }: KeyInUse): Reason | null {
  if (used === 0 || state === "registered") return null;
  return reason(state === "retired" ? "KEY_RETIRED_IN_USE" : "KEY_UNREGISTERED", { system, key, used });
}

/** The keys of a system that no product has, or that are retired, and are in use all the same: as last counted. */
export async function keysOutOfPlace(
  db: Database | Trx,
  system: CountedSystem,
  key?: string,
): Promise<KeyInUse[]> {
  const rows = await db
    .selectFrom("ops.product_frequency")
    .select(["key", "state", sql<number>`in_use + paused`.as("used")])
    .where("system", "=", system)
    .where("state", "<>", "registered")
    .where(sql<boolean>`in_use + paused > 0`)
    .$if(key !== undefined, (query) => query.where("key", "=", key ?? ""))
    .orderBy("key")
    .execute();
  return rows.map((row) => ({ key: row.key ?? "", state: row.state ?? "", used: row.used }));
}

/**
 * At the end of a count: each key out of place goes to a person once, as a `product.check_key` that is born in
 * MANUAL_INTERVENTION. It is not asked about again while that is open or when a person dropped it, nor while an order
 * or a refill asks the same, nor while its subscribers are being moved. Questions that are settled run again, and end.
 */
export async function askAboutKeys(trx: Trx, system: CountedSystem): Promise<FollowUp[]> {
  const out = await keysOutOfPlace(trx, system);
  await wakeSettled(trx, system, out.map(({ key }) => key));
  const followUps: FollowUp[] = [];
  for (const one of out) {
    const why = questionAboutKey(system, one);
    if (!why || await isAsked(trx, system, one.key, why) || await isBeingMoved(trx, system, one.key)) {
      continue;
    }
    followUps.push({ step: "product.check_key", data: { system, key: one.key }, person: why });
  }
  return followUps;
}

async function isAsked(trx: Trx, system: CountedSystem, key: string, why: Reason): Promise<boolean> {
  const own = await trx.selectFrom("clockwork.tasks").select("id")
    .where("step", "=", "product.check_key")
    .where(sql<boolean>`data ->> 'key' = ${key} and data ->> 'system' = ${system}`)
    .where((eb) =>
      eb.or([
        eb("status", "in", ["PENDING", "QUEUED", "MANUAL_INTERVENTION"]),
        eb.and([eb("status", "=", "CANCELLED"), eb("reason_code", "=", why.code)]),
      ])
    )
    .executeTakeFirst();
  if (own) return true;
  if (why.code !== "KEY_UNREGISTERED") return false;
  // A paid invoice or a refill that met the same key waits for the same repair.
  const other = await trx.selectFrom("clockwork.tasks").select("id")
    .where("status", "=", "MANUAL_INTERVENTION")
    .where("reason_code", "in", ["UNKNOWN_PRODUCT", "REFILL_WITHOUT_PRESCRIPTION"])
    .where(
      sql<boolean>`strpos(replace(reason, '.', ' ') || ' ', ' ' || replace(${key}, '.', ' ') || ' ') > 0`,
    )
    .executeTakeFirst();
  return other !== undefined;
}

async function isBeingMoved(trx: Trx, system: CountedSystem, key: string): Promise<boolean> {
  if (system !== "stripe_price") return false;
  const moving = await trx.selectFrom("tracker.price_retirements").select("id")
    .where("from_price", "=", key)
    .where((eb) =>
      eb.or([
        eb("listed_at", "is", null),
        eb.exists(
          eb.selectFrom("ops.price_moves").select("move_id")
            .whereRef("ops.price_moves.retirement_id", "=", "tracker.price_retirements.id")
            .where("state", "=", "waiting"),
        ),
      ])
    )
    .executeTakeFirst();
  return moving !== undefined;
}

async function wakeSettled(trx: Trx, system: CountedSystem, out: readonly string[]): Promise<void> {
  await trx.updateTable("clockwork.tasks")
    .set({ status: "PENDING", run_after: sql`clockwork.now()` })
    .where("step", "=", "product.check_key")
    .where("status", "=", "MANUAL_INTERVENTION")
    .where(sql<boolean>`data ->> 'system' = ${system}`)
    .where(sql<boolean>`data ->> 'key' <> all (${[...out]}::text[])`)
    .execute();
}
