import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { openTasks } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import type { MoveFinding } from "./judge.ts";

/** The ledger's name for it. */
export const MOVE_PRICE = "move price";

/** A retirement as its steps need it. `isOn`: the registry still says so. */
export interface Retirement {
  id: number;
  from: string;
  to: string;
  pass: number;
  page: number;
  isListed: boolean;
  isOn: boolean;
}

export async function retirementById(db: Database | Trx, id: number): Promise<Retirement> {
  const row = await db
    .selectFrom("tracker.price_retirements as retirement")
    .leftJoin(
      "registry.product_keys as price",
      (join) =>
        join.onRef("price.key", "=", "retirement.from_price")
          .onRef("price.replaced_by", "=", "retirement.to_price")
          .on("price.system", "=", "stripe_price")
          .on("price.status", "=", "retired"),
    )
    .select([
      "retirement.id",
      "from_price",
      "to_price",
      "pass",
      "page",
      "listed_at",
      "price.key as replaced",
    ])
    .where("retirement.id", "=", id)
    .executeTakeFirstOrThrow();
  return {
    id: row.id,
    from: row.from_price,
    to: row.to_price,
    pass: row.pass,
    page: row.page,
    isListed: row.listed_at !== null,
    isOn: row.replaced !== null,
  };
}

/** What was found of one item of the old price. */
export interface Listed {
  subscriptionId: string;
  itemId: string;
  finding: MoveFinding | null;
}

/**
 * Writes down a page of a pass, once, and gives its moves, each at its turn, and the next page. A pass that may move only
 * so many ends when they are found.
 * @param listedAt when Stripe was asked: a move that was made since then is no news
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
  let left = 0;
  for (const one of listed) {
    if (one.finding === null && moves.length >= room) {
      left += 1;
      continue;
    }
    const moveId = await recordListed(trx, retirement, one, listedAt);
    if (moveId !== null) moves.push(moveId);
  }
  const isOver = next === null || left > 0 || moves.length >= room;
  const { turns, nextAt } = turnsOf(
    moves.length,
    Math.max(listedAt.getTime(), retirement.next_move_at?.getTime() ?? 0),
    Number(retirement.moves_per_second),
  );
  await trx.updateTable("tracker.price_retirements")
    .set({
      page: page + 1,
      queued: retirement.queued + moves.length,
      next_move_at: nextAt,
      listed_at: isOver ? sql<Date>`clockwork.now()` : null,
    })
    .where("id", "=", retirementId)
    .execute();
  const followUps = moves.map((moveId, index): FollowUp => ({
    step: "product.move_subscription",
    data: { move_id: moveId },
    runAfter: turns[index] ?? listedAt,
  }));
  if (!isOver && next !== null) {
    followUps.push({
      step: "product.retire",
      data: { retirement_id: retirementId, pass, page: page + 1, cursor: next },
    });
  }
  return followUps;
}

function turnsOf(count: number, from: number, perSecond: number): { turns: Date[]; nextAt: Date } {
  const at = (index: number) => new Date(from + (index * 1000) / perSecond);
  return { turns: Array.from({ length: count }, (_, index) => at(index)), nextAt: at(count) };
}

/** The number of the move that needs a task, or null: it has one, or is not to be moved. */
async function recordListed(
  trx: Trx,
  { id: retirementId, to_price: to }: { id: number; to_price: string },
  { subscriptionId, itemId, finding }: Listed,
  listedAt: Date,
): Promise<number | null> {
  const known = await trx.selectFrom("tracker.price_moves").select(["id", "state", "times", "settled_at"])
    .where("retirement_id", "=", retirementId).where("subscription_item_id", "=", itemId)
    .executeTakeFirst();
  const state = finding === null ? "WAITING" as const : "NOT_MOVED" as const;
  const settledAt = finding === null ? null : sql<Date>`clockwork.now()`;
  if (!known) {
    const { id } = await trx.insertInto("tracker.price_moves")
      .values({
        retirement_id: retirementId,
        subscription_id: subscriptionId,
        subscription_item_id: itemId,
        state,
        finding,
        settled_at: settledAt,
      })
      .returning("id").executeTakeFirstOrThrow();
    return finding === null ? id : null;
  }
  if (known.state === "WAITING") return await takeUp(trx, known.id) ? null : known.id;
  const wasThere = known.state === "MOVED" || known.state === "ALREADY_THERE";
  // Listed before it was moved: the list is old, not the move.
  if (wasThere && known.settled_at && known.settled_at >= listedAt) return null;
  await trx.updateTable("tracker.price_moves")
    .set({
      state,
      finding,
      settled_at: settledAt,
      // Moved and moved back: another move, with a key of its own in the ledger.
      times: finding === null && await wasMoved(trx, moveKey(itemId, to, known.times))
        ? known.times + 1
        : known.times,
    })
    .where("id", "=", known.id).execute();
  return finding === null ? known.id : null;
}

/** A move in the ledger (`clockwork.effects`, `move price`). */
export function moveKey(itemId: string, to: string, times: number): string {
  return times === 1 ? `${itemId}:${to}` : `${itemId}:${to}:${times}`;
}

async function wasMoved(trx: Trx, key: string): Promise<boolean> {
  const effect = await trx.selectFrom("clockwork.effects").select("id")
    .where("vendor", "=", "stripe").where("operation", "=", MOVE_PRICE).where("key", "=", key)
    .where("state", "=", "CONFIRMED")
    .executeTakeFirst();
  return effect !== undefined;
}

/** True when a task of the move is in the queue, or waits for a person and now runs again. */
async function takeUp(trx: Trx, moveId: number): Promise<boolean> {
  const open = await openTasks(trx, { step: "product.move_subscription", about: { move_id: moveId } });
  const [first] = open;
  if (first && open.every(({ status }) => status === "MANUAL_INTERVENTION")) {
    await wakeTasks(trx, { ids: [first.id] });
  }
  return first !== undefined;
}

export interface Move {
  id: number;
  retirementId: number;
  subscriptionId: string;
  itemId: string;
  state: string;
  times: number;
  refusals: number;
  before: Before | null;
}

/** What a move must leave as it is. */
export interface Before {
  anchor: Date;
  due: Date;
  paused: boolean;
}

export async function moveById(db: Database | Trx, id: number): Promise<Move> {
  const row = await db.selectFrom("tracker.price_moves").selectAll().where("id", "=", id)
    .executeTakeFirstOrThrow();
  const { anchor_before: anchor, due_before: due, paused_before: paused } = row;
  return {
    id: row.id,
    retirementId: row.retirement_id,
    subscriptionId: row.subscription_id,
    itemId: row.subscription_item_id,
    state: row.state,
    times: row.times,
    refusals: row.refusals,
    before: anchor && due && paused !== null ? { anchor, due, paused } : null,
  };
}

/** Written before the request goes out, so that whoever takes over after a crash knows what must not have changed. */
export async function rememberBefore(db: Database, moveId: number, before: Before): Promise<void> {
  await db.updateTable("tracker.price_moves")
    .set({ anchor_before: before.anchor, due_before: before.due, paused_before: before.paused })
    .where("id", "=", moveId).where("state", "=", "WAITING").execute();
}

/** How a move ended. A move that ended before stays as it is. */
export async function settleMove(
  trx: Trx,
  moveId: number,
  end: { state: "MOVED"; dueAfter: Date | null } | { state: "ALREADY_THERE" } | {
    state: "NOT_MOVED";
    finding: MoveFinding;
  },
): Promise<void> {
  await trx.updateTable("tracker.price_moves")
    .set({
      state: end.state,
      finding: end.state === "NOT_MOVED" ? end.finding : null,
      settled_at: sql<Date>`clockwork.now()`,
      ...(end.state === "MOVED" ? { due_after: end.dueAfter } : {}),
    })
    .where("id", "=", moveId).where("state", "=", "WAITING").execute();
}

export async function countRefusal(trx: Trx, moveId: number): Promise<void> {
  await trx.updateTable("tracker.price_moves").set((eb) => ({ refusals: eb("refusals", "+", 1) }))
    .where("id", "=", moveId).execute();
}

/** The next billing date of an item; null when the item is gone. */
export function dueOf({ items }: StripeSubscription, itemId: string): Date | null {
  return items.find(({ id }) => id === itemId)?.periodEnd ?? null;
}
