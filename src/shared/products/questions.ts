import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { ask } from "../queue/ask.ts";
import { openTasks } from "../queue/open.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { CountedSystem } from "./counts.ts";

/** The keys of a system that are in use by the last count, although retired or in no product; each with its question. */
export async function misusedKeys(
  db: Database | Trx,
  system: CountedSystem,
  key?: string,
): Promise<{ key: string; why: Reason }[]> {
  const rows = await db
    .selectFrom("ops.product_frequency")
    .select([sql<string>`key`.as("key"), "state", sql<number>`in_use + paused`.as("used")])
    .where("system", "=", system)
    .where("state", "<>", "registered")
    .where(sql<boolean>`in_use + paused > 0`)
    .$if(key !== undefined, (query) => query.where("key", "=", key ?? ""))
    .orderBy("key")
    .execute();
  return rows.map(({ key, state, used }) => {
    const code = state === "retired" ? "KEY_RETIRED_IN_USE" : "KEY_UNREGISTERED";
    return { key, why: reason(code, { system, key, used }) };
  });
}

/**
 * Asks a person about each misused key once, at the end of a count: by a `product.check_key`. Not while an order or a
 * refill asks the same, nor while the price's subscribers are being moved. Questions about other keys are woken, and end.
 */
export async function askAboutKeys(trx: Trx, ctx: StepContext, system: CountedSystem): Promise<void> {
  const misused = await misusedKeys(trx, system);
  const asked = await openTasks(trx, {
    step: "product.check_key",
    about: { system },
    status: "MANUAL_INTERVENTION",
  });
  const answered = asked.filter(({ data }) => !misused.some(({ key }) => key === data["key"]));
  await wakeTasks(trx, { ids: answered.map(({ id }) => id) });
  const isUnregistered = ({ code }: Reason) => code === "KEY_UNREGISTERED";
  const stopped = misused.some(({ why }) => isUnregistered(why)) ? await stoppedForKeys(trx) : [];
  for (const { key, why } of misused) {
    if (await isBeingMoved(trx, system, key)) continue;
    // A paid invoice or a refill that met the same key waits for the same repair.
    if (isUnregistered(why) && stopped.some((sentence) => names(sentence, key))) continue;
    await ask(trx, ctx, { step: "product.check_key", data: { system, key }, person: why });
  }
}

/** The sentences of tasks that stopped for a key in no product. */
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
