import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { openTasks } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { MoveFinding } from "./judge.ts";
import { MOVE_PRICE, moveKey } from "./moves.ts";

/** A row of `tracker.price_retirements`. */
export type Retirement = Awaited<ReturnType<typeof retirementById>>;

/** The retirement. `isOn`: the registry still names the new price as the old one's replacement. */
export async function retirementById(db: Database | Trx, id: number) {
  return await db
    .selectFrom("tracker.price_retirements as retirement")
    .leftJoin(
      "registry.product_keys as price",
      (join) =>
        join.onRef("price.key", "=", "retirement.from_price")
          .onRef("price.replaced_by", "=", "retirement.to_price")
          .on("price.system", "=", "stripe_price")
          .on("price.status", "=", "retired"),
    )
    .select(["retirement.id", "from_price as from", "to_price as to", "pass", "page"])
    .select([
      sql<boolean>`listed_at is not null`.as("isListed"),
      sql<boolean>`price.key is not null`.as("isOn"),
    ])
    .where("retirement.id", "=", id)
    .executeTakeFirstOrThrow();
}

/** An item of the old price. `finding` null: it is to be moved. */
interface Listed {
  subscriptionId: string;
  itemId: string;
  finding: MoveFinding | null;
}

/**
 * Writes a page of a pass, once. Returns its moves, each at its turn, and the next page. A pass with a limit ends when
 * that many moves are found.
 * @param listedAt when Stripe listed the page: the list does not show moves that ended since then
 */
export async function recordPage(
  trx: Trx,
  { retirementId, pass, page, listed, listedAt, next }: {
    retirementId: number;
    pass: number;
    page: number;
    listed: readonly Listed[];
    listedAt: Date;
    next: string | null;
  },
): Promise<FollowUp[]> {
  const retirement = await trx.selectFrom("tracker.price_retirements").selectAll()
    .where("id", "=", retirementId).forUpdate().executeTakeFirstOrThrow();
  if (retirement.pass !== pass || retirement.page !== page || retirement.listed_at !== null) return [];
  const room = retirement.at_most === null ? Infinity : retirement.at_most - retirement.queued;
  const moves: number[] = [];
  for (const one of listed) {
    if (one.finding === null && moves.length >= room) continue;
    const moveId = await recordListed(trx, retirement, one, listedAt);
    if (moveId !== null) moves.push(moveId);
  }
  const firstTurn = Math.max(listedAt.getTime(), retirement.next_move_at?.getTime() ?? 0);
  const turn = (index: number) => new Date(firstTurn + (index * 1000) / Number(retirement.moves_per_second));
  const cursor = moves.length >= room ? null : next;
  await trx.updateTable("tracker.price_retirements")
    .set({
      page: page + 1,
      queued: retirement.queued + moves.length,
      next_move_at: turn(moves.length),
      listed_at: cursor === null ? sql<Date>`clockwork.now()` : null,
    })
    .where("id", "=", retirementId)
    .execute();
  const followUps = moves.map((moveId, index): FollowUp => ({
    step: "product.move_subscription",
    data: { move_id: moveId },
    runAfter: turn(index),
  }));
  if (cursor !== null) {
    const data = { retirement_id: retirementId, pass, page: page + 1, cursor };
    followUps.push({ step: "product.retire", data });
  }
  return followUps;
}

/** The id of a move that needs a task; null when it has one, or the item is not to be moved. */
async function recordListed(
  trx: Trx,
  { id: retirementId, to_price: to }: { id: number; to_price: string },
  { subscriptionId, itemId, finding }: Listed,
  listedAt: Date,
): Promise<number | null> {
  const known = await trx.selectFrom("tracker.price_moves").select(["id", "state", "times", "settled_at"])
    .where("retirement_id", "=", retirementId).where("subscription_item_id", "=", itemId)
    .executeTakeFirst();
  const found = finding === null
    ? { state: "WAITING" as const, finding, settled_at: null }
    : { state: "NOT_MOVED" as const, finding, settled_at: sql<Date>`clockwork.now()` };
  if (!known) {
    const { id } = await trx.insertInto("tracker.price_moves")
      .values({
        retirement_id: retirementId,
        subscription_id: subscriptionId,
        subscription_item_id: itemId,
        ...found,
      })
      .returning("id").executeTakeFirstOrThrow();
    return finding === null ? id : null;
  }
  if (known.state === "WAITING") return await hasTaskNow(trx, known.id) ? null : known.id;
  const wasThere = known.state === "MOVED" || known.state === "ALREADY_THERE";
  if (wasThere && known.settled_at && known.settled_at >= listedAt) return null;
  // An item that was moved and moved back is moved again, under another key of the ledger.
  const isAgain = finding === null && await wasMoved(trx, moveKey(itemId, to, known.times));
  await trx.updateTable("tracker.price_moves")
    .set({ ...found, times: isAgain ? known.times + 1 : known.times })
    .where("id", "=", known.id).execute();
  return finding === null ? known.id : null;
}

async function wasMoved(trx: Trx, key: string): Promise<boolean> {
  const effect = await trx.selectFrom("clockwork.effects").select("id")
    .where("vendor", "=", "stripe").where("operation", "=", MOVE_PRICE).where("key", "=", key)
    .where("state", "=", "CONFIRMED")
    .executeTakeFirst();
  return effect !== undefined;
}

/** True when the move has an open task. A task that stopped at a person is woken, if no other is open. */
async function hasTaskNow(trx: Trx, moveId: number): Promise<boolean> {
  const open = await openTasks(trx, { step: "product.move_subscription", about: { move_id: moveId } });
  if (open.every(({ status }) => status === "MANUAL_INTERVENTION")) {
    await wakeTasks(trx, { ids: open.slice(0, 1).map(({ id }) => id) });
  }
  return open.length > 0;
}
