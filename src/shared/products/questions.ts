import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { ask } from "../queue/ask.ts";
import { openTasks } from "../queue/open.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
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
export async function askAboutKeys(trx: Trx, ctx: StepContext, system: CountedSystem): Promise<void> {
  const out = await keysOutOfPlace(trx, system);
  await wakeSettled(trx, system, out.map(({ key }) => key));
  const unregistered = out.some(({ state }) => state === "unregistered") ? await stoppedForKeys(trx) : [];
  for (const one of out) {
    const { key } = one;
    const person = questionAboutKey(system, one);
    if (!person || await isBeingMoved(trx, system, key)) continue;
    // A paid invoice or a refill that met the same key waits for the same repair.
    if (person.code === "KEY_UNREGISTERED" && unregistered.some((why) => names(why, key))) continue;
    await ask(trx, ctx, { step: "product.check_key", data: { system, key }, person });
  }
}

/** The sentences of what stopped for a key that is in no product. */
async function stoppedForKeys(trx: Trx): Promise<string[]> {
  const stopped = await openTasks(trx, {
    reasonCode: ["UNKNOWN_PRODUCT", "REFILL_WITHOUT_PRESCRIPTION"],
    status: "MANUAL_INTERVENTION",
  });
  return stopped.flatMap(({ reason }) => reason ?? []);
}

function names(sentence: string, key: string): boolean {
  const words = (text: string) => ` ${text.replaceAll(".", " ")} `;
  return words(sentence).includes(words(key));
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
  const asked = await openTasks(trx, {
    step: "product.check_key",
    about: { system },
    status: "MANUAL_INTERVENTION",
  });
  const settled = asked.filter(({ data }) => !out.some((key) => key === data["key"]));
  await wakeTasks(trx, { ids: settled.map(({ id }) => id) });
}
