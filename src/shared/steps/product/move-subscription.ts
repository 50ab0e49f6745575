import {
  type Before,
  countRefusal,
  dueOf,
  endMove,
  type Move,
  MOVE_PRICE,
  moveById,
  moveKey,
  rememberBefore,
} from "../../products/moves.ts";
import { type Retirement, retirementById } from "../../products/pass.ts";
import { judgeItem, type MoveFinding } from "../../products/judge.ts";
import { refusesOurKey } from "../../queue/gate.ts";
import { Permanent, refusalOf, Retryable } from "../../queue/reasons.ts";
import { defineOwnStep, Halt, type Outcome, type StepContext } from "../../queue/step.ts";
import { findCustomer } from "../../registry/customers.ts";
import { isPaused, standingOf } from "../../subscriptions/standing.ts";
import { VendorError } from "../../vendors/contract.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/** Stripe's reads show its own writes. A request without a reply may be carried out until then. */
const VISIBLE_AFTER_SECONDS = 30;

/**
 * Moves one subscription from its retired price to the supported one, once. Nothing is charged, the billing date and a
 * pause stay, and a read afterwards proves it. Stripe is read right before, so a subscription that was cancelled or changed
 * meanwhile is left alone.
 */
export const productMoveSubscription = defineOwnStep("product.move_subscription", {
  queue: "stripe",
  async run(ctx, { move_id: moveId }) {
    const move = await moveById(ctx.deps.db, moveId);
    if (move.state !== "WAITING") return { kind: "done" };
    const retirement = await retirementById(ctx.deps.db, move.retirementId);
    try {
      const wasSent = await sendOnce(ctx, move, retirement);
      return await verified(ctx, moveId, retirement, wasSent);
    } catch (error) {
      if (!(error instanceof VendorError) || !isRefusedMove(error)) throw error;
      return { kind: "stopped", reason: refusalOf(error), commit: (trx) => countRefusal(trx, moveId) };
    }
  },
});

/** Sends the move unless it was sent before. True when this run sent it. */
async function sendOnce(ctx: StepContext, move: Move, retirement: Retirement): Promise<boolean> {
  const { stripe } = ctx.vendors;
  const { itemId, subscriptionId } = move;
  const key = moveKey(itemId, retirement.to, move.times);
  let wasSent = false;
  let quantity: number | null = null;
  await ctx.once({
    vendor: "stripe",
    operation: MOVE_PRICE,
    key,
    visibleAfterSeconds: VISIBLE_AFTER_SECONDS,
    find: async () =>
      hasPrice(await stripe.getSubscription(subscriptionId), itemId, retirement.to) ? itemId : null,
    guard: async () => {
      const current = await readSubscription(ctx, subscriptionId);
      if (hasPrice(current, itemId, retirement.to)) throw new Halt(ended(move.id, "ALREADY_THERE"));
      const finding = retirement.isOn ? judgeItem(current, itemId, retirement) : "CALLED_OFF";
      if (finding !== null) throw new Halt(ended(move.id, finding));
      quantity = current.items.find(({ id }) => id === itemId)?.quantity ?? null;
      await rememberBefore(ctx.deps.db, move.id, beforeOf(current, itemId));
      await ctx.deps.faultPoint?.("before remembered");
    },
    send: async () => {
      wasSent = true;
      // Another key after a refusal: Stripe repeats its first reply to a key for a day.
      const idempotencyKey = `clockwork:move:${key}:${move.refusals}`;
      const priceId = retirement.to;
      await stripe.moveItemToPrice({ subscriptionId, itemId, priceId, quantity, idempotencyKey });
      return itemId;
    },
  });
  return wasSent;
}

/** Reads the subscription again: it counts as moved when it shows the new price and is otherwise as before. */
async function verified(
  ctx: StepContext,
  moveId: number,
  retirement: Retirement,
  wasSent: boolean,
): Promise<Outcome> {
  const { subscriptionId, itemId, before } = await moveById(ctx.deps.db, moveId);
  const current = await readSubscription(ctx, subscriptionId);
  if (!hasPrice(current, itemId, retirement.to)) {
    if (wasSent) throw new Retryable("NOT_YET_VISIBLE", { vendor: "stripe" });
    return ended(moveId, hasPrice(current, itemId, retirement.from) ? "MOVED_BACK" : "ELSEWHERE");
  }
  const what = before && changedSince(before, beforeOf(current, itemId), ctx.now());
  if (what !== null) {
    throw new Permanent("MOVE_CHANGED_BILLING", { subscription: subscriptionId, price: retirement.to, what });
  }
  const dueAfter = dueOf(current, itemId);
  return { kind: "done", commit: (trx) => endMove(trx, moveId, { state: "MOVED", dueAfter }) };
}

function beforeOf(subscription: StripeSubscription, itemId: string): Before {
  return {
    anchor: subscription.billingAnchor,
    due: dueOf(subscription, itemId) ?? subscription.billingAnchor,
    paused: isPaused(standingOf(subscription)),
  };
}

/** Names the change that the move must not have made. A period that ended meanwhile moves the next billing date. */
function changedSince(before: Before, now: Before, at: Date): string | null {
  if (now.anchor.getTime() !== before.anchor.getTime()) return "the anchor of its billing dates";
  const hasRenewed = before.due <= at && now.due > before.due;
  if (now.due.getTime() !== before.due.getTime() && !hasRenewed) return "its billing date";
  return now.paused === before.paused ? null : "its pause";
}

function hasPrice({ items }: StripeSubscription, itemId: string, price: string): boolean {
  return items.some((item) => item.id === itemId && item.priceId === price);
}

/** Reads the subscription, and sets the task's customer by it. */
async function readSubscription(ctx: StepContext, id: string): Promise<StripeSubscription> {
  const subscription = await ctx.vendors.stripe.getSubscription(id);
  const customer = await findCustomer(ctx.deps.db, "stripe_customer_id", subscription.customerId);
  if (customer) ctx.about({ customerId: customer.id });
  return subscription;
}

/** The outcome of a move that was not made. */
function ended(moveId: number, finding: MoveFinding | "ALREADY_THERE"): Outcome {
  const end = finding === "ALREADY_THERE" ? { state: finding } : { state: "NOT_MOVED", finding } as const;
  return { kind: "done", commit: (trx) => endMove(trx, moveId, end) };
}

function isRefusedMove(error: VendorError): boolean {
  return error.failure === "refused" && !refusesOurKey(error) && error.operation === "move subscription item";
}
