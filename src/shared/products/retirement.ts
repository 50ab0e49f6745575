import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { insertTasks } from "../queue/tasks.ts";
import { resendTasks } from "../queue/wake.ts";

/** Moves a second by default: at three requests each, a third of the pace of Stripe's row in `clockwork.vendors`. */
export const MOVES_PER_SECOND = 2;

/** The message is a sentence for the person who asked. */
export class RetirementRefused extends Error {
  override name = "RetirementRefused";
}

export interface RegisteredPrice {
  key: string;
  product: string;
  fillsPerCharge: number;
}

/**
 * Reads the two prices. Both must be of one product, and a charge must pay for the same number of fills: the prescriber
 * decides about another medicine, or another amount of it.
 * @throws {RetirementRefused}
 */
export async function checkRetirement(
  db: Database | Trx,
  { from, to }: { from: string; to: string },
): Promise<{ from: RegisteredPrice; to: RegisteredPrice }> {
  if (from === to) throw new RetirementRefused(`${from} cannot replace itself.`);
  const rows = await db
    .selectFrom("registry.product_keys as price")
    .innerJoin("registry.products as product", "product.id", "price.product_id")
    .select([
      "price.key",
      "price.product_id",
      "price.status",
      "price.replaced_by",
      "price.fills_per_charge",
      "product.name",
      "product.status as product_status",
    ])
    .where("price.system", "=", "stripe_price")
    .where("price.key", "in", [from, to])
    .execute();
  const [old, supported] = [from, to].map((key) => rows.find((one) => one.key === key));
  if (!old || !supported) {
    throw new RetirementRefused(
      `No product has the Stripe price ${old ? to : from}. Add it to registry.product_keys first.`,
    );
  }
  if (old.product_id !== supported.product_id) {
    throw new RetirementRefused(
      `${from} is a price of ${old.name}, ${to} one of ${supported.name}. ` +
        "Nobody is moved to another product: another medicine needs another prescription.",
    );
  }
  if (supported.status === "retired") throw new RetirementRefused(`${to} is retired itself.`);
  if (supported.product_status === "retired") {
    throw new RetirementRefused(`${supported.name}, the product of ${to}, is retired itself.`);
  }
  if (old.replaced_by !== null && old.replaced_by !== to) {
    throw new RetirementRefused(
      `${from} is replaced by ${old.replaced_by} already. If that was a mistake, correct replaced_by in registry.product_keys.`,
    );
  }
  if (old.fills_per_charge !== supported.fills_per_charge) {
    throw new RetirementRefused(
      `A charge of ${from} pays for ${old.fills_per_charge} fills, one of ${to} for ${supported.fills_per_charge}. ` +
        "Nobody is moved to another amount.",
    );
  }
  const registered = (row: typeof old): RegisteredPrice => ({
    key: row.key,
    product: row.name,
    fillsPerCharge: row.fills_per_charge ?? 0,
  });
  return { from: registered(old), to: registered(supported) };
}

/**
 * Marks the old price as retired and replaced, and starts a pass over its subscribers: one task a page, one a move. A
 * pass that is under way is resumed: its page, if it stopped or was cancelled, is resent.
 * @param options `atMost`: the most subscriptions to move, null for all
 * @throws {RetirementRefused}
 */
export async function beginRetirement(
  db: Database,
  options: { from: string; to: string; atMost: number | null; movesPerSecond: number },
): Promise<{ retirementId: number; pass: number; resumed: boolean }> {
  const { from, to, atMost, movesPerSecond } = options;
  return await db.transaction().execute(async (trx) => {
    await sql`select set_config('clockwork.actor', 'npm run product:retire', true)`.execute(trx);
    await trx.selectFrom("registry.product_keys").select("key")
      .where("system", "=", "stripe_price").where("key", "in", [from, to])
      .orderBy("key").forUpdate().execute();
    await checkRetirement(trx, { from, to });
    await trx.updateTable("registry.product_keys")
      .set({ status: "retired", replaced_by: to })
      .where("system", "=", "stripe_price").where("key", "=", from)
      .where((eb) => eb.or([eb("status", "<>", "retired"), eb("replaced_by", "is", null)]))
      .execute();
    const made = await trx.insertInto("tracker.price_retirements")
      .values({ from_price: from, to_price: to, at_most: atMost, moves_per_second: movesPerSecond })
      .onConflict((conflict) => conflict.constraint("one_retirement_for_two_prices").doNothing())
      .returning(["id", "pass"])
      .executeTakeFirst();
    if (made) return await startPass(trx, made);
    const known = await trx.selectFrom("tracker.price_retirements").select(["id", "pass", "listed_at"])
      .where("from_price", "=", from).where("to_price", "=", to)
      .forUpdate().executeTakeFirstOrThrow();
    if (known.listed_at === null) return await resumePass(trx, known, movesPerSecond);
    const again = await trx.updateTable("tracker.price_retirements")
      .set((eb) => ({
        pass: eb("pass", "+", 1),
        page: 0,
        queued: 0,
        listed_at: null,
        at_most: atMost,
        moves_per_second: movesPerSecond,
      }))
      .where("id", "=", known.id)
      .returning(["id", "pass"])
      .executeTakeFirstOrThrow();
    return await startPass(trx, again);
  });
}

async function startPass(trx: Trx, { id, pass }: { id: number; pass: number }) {
  await insertTasks(trx, [{
    step: "product.retire",
    key: `retirement:${id}:${pass}`,
    vendor: "stripe",
    data: { retirement_id: id, pass, page: 0 },
  }]);
  return { retirementId: id, pass, resumed: false };
}

async function resumePass(trx: Trx, { id, pass }: { id: number; pass: number }, movesPerSecond: number) {
  await trx.updateTable("tracker.price_retirements").set({ moves_per_second: movesPerSecond })
    .where("id", "=", id).execute();
  // A person may have cancelled the page; no other task goes on with the pass.
  await resendTasks(trx, { step: "product.retire", about: { retirement_id: id, pass } });
  return { retirementId: id, pass, resumed: true };
}
