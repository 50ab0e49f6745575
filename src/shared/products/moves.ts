import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import type { MoveFinding } from "./judge.ts";

/** The operation in the ledger. */
export const MOVE_PRICE = "move price";

/** The key of a move in the ledger. `times` counts the moves of one item to one price. */
export function moveKey(itemId: string, to: string, times: number): string {
  return times === 1 ? `${itemId}:${to}` : `${itemId}:${to}:${times}`;
}

/** A row of `tracker.price_moves`. */
export type Move = Awaited<ReturnType<typeof moveById>>;

/** The attributes that a move must leave as they are. */
export interface Before {
  anchor: Date;
  due: Date;
  paused: boolean;
}

export async function moveById(db: Database | Trx, id: number) {
  const { anchor, due, paused, ...move } = await db.selectFrom("tracker.price_moves")
    .select(["id", "retirement_id as retirementId", "subscription_id as subscriptionId", "state", "times"])
    .select(["subscription_item_id as itemId", "refusals"])
    .select(["anchor_before as anchor", "due_before as due", "paused_before as paused"])
    .where("id", "=", id).executeTakeFirstOrThrow();
  const before: Before | null = anchor && due && paused !== null ? { anchor, due, paused } : null;
  return { ...move, before };
}

/** Written before the send, so that a run after a crash knows what must not have changed. */
export async function rememberBefore(db: Database, moveId: number, before: Before): Promise<void> {
  await db.updateTable("tracker.price_moves")
    .set({ anchor_before: before.anchor, due_before: before.due, paused_before: before.paused })
    .where("id", "=", moveId).where("state", "=", "WAITING").execute();
}

/** Writes the end of a move. A move that ended before stays as it is. */
export async function endMove(
  trx: Trx,
  moveId: number,
  end:
    | { state: "MOVED"; dueAfter: Date | null }
    | { state: "ALREADY_THERE" }
    | { state: "NOT_MOVED"; finding: MoveFinding },
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
