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
import { Permanent, reason, Retryable } from "../../queue/reasons.ts";
import { defineOwnStep, type Outcome, type StepContext } from "../../queue/step.ts";
import { findCustomer } from "../../registry/customers.ts";
import { isPaused, standingOf } from "../../subscriptions/standing.ts";
import { VendorError } from "../../vendors/contract.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/** Stripe's reads show its own writes; this is for a request that was still under way when we gave up on it. */
const SETTLE_SECONDS = 30;

/** Called off at the last look: nothing is sent. */
class CalledOff extends Error {
  override name = "CalledOff";
  readonly why: MoveFinding | "ALREADY_THERE";

  constructor(why: CalledOff["why"]) {
    super(why);
    this.why = why;
  }
}

/**
 * Moves one subscription from its retired price to the supported one, once: nothing is charged, the billing date and a
 * pause stay, and a read afterwards proves it. Looks at Stripe right before, so a customer who cancelled or changed
 * meanwhile is left alone.
 */
export const productMoveSubscription = defineOwnStep("product.move_subscription", {
  queue: "stripe",
  async run(ctx, { move_id: moveId }) {
    const move = await moveById(ctx.deps.db, moveId);
    if (move.state !== "WAITING") return { kind: "done" };
    const retirement = await retirementById(ctx.deps.db, move.retirementId);
    let wasSentNow = false;
    try {
      wasSentNow = await sendOnce(ctx, move, retirement);
    } catch (error) {
      if (error instanceof CalledOff) return calledOff(moveId, error.why);
      if (isRefusedMove(error)) return refused(moveId, error);
      throw error;
    }
    return await verified(ctx, moveId, retirement, wasSentNow);
  },
});

/** True when it was sent in this run, and not before. */
async function sendOnce(ctx: StepContext, move: Move, retirement: Retirement): Promise<boolean> {
  const { stripe } = ctx.vendors;
  const { itemId, subscriptionId } = move;
  const key = moveKey(itemId, retirement.to, move.times);
  let wasSent = false;
  await ctx.once({
    vendor: "stripe",
    operation: MOVE_PRICE,
    key,
    settleSeconds: SETTLE_SECONDS,
    find: async () =>
      hasPrice(await stripe.getSubscription(subscriptionId), itemId, retirement.to) ? itemId : null,
    guard: async () => {
      const seen = await stripe.getSubscription(subscriptionId);
      await tellWhose(ctx, seen);
      if (hasPrice(seen, itemId, retirement.to)) throw new CalledOff("ALREADY_THERE");
      const finding = retirement.isOn ? judgeItem(seen, itemId, retirement) : "CALLED_OFF";
      if (finding !== null) throw new CalledOff(finding);
      await rememberBefore(ctx.deps.db, move.id, beforeOf(seen, itemId));
      await ctx.deps.faultPoint?.("before remembered");
    },
    send: async () => {
      wasSent = true;
      // After a refusal another key: Stripe repeats its first answer to a key for a day.
      const idempotencyKey = `clockwork:move:${key}:${move.refusals}`;
      await stripe.moveItemToPrice({ subscriptionId, itemId, priceId: retirement.to, idempotencyKey });
      return itemId;
    },
  });
  return wasSent;
}

/** Reads the subscription again: only what shows the new price and is otherwise as before counts as moved. */
async function verified(
  ctx: StepContext,
  moveId: number,
  retirement: Retirement,
  wasSentNow: boolean,
): Promise<Outcome> {
  const { subscriptionId, itemId, before } = await moveById(ctx.deps.db, moveId);
  const seen = await ctx.vendors.stripe.getSubscription(subscriptionId);
  await tellWhose(ctx, seen);
  if (!hasPrice(seen, itemId, retirement.to)) {
    if (wasSentNow) throw new Retryable("NOT_YET_VISIBLE", { vendor: "stripe" });
    return calledOff(moveId, hasPrice(seen, itemId, retirement.from) ? "MOVED_BACK" : "ELSEWHERE");
  }
  const changed = before ? changedSince(before, beforeOf(seen, itemId), ctx.now()) : null;
  if (changed !== null) {
    throw new Permanent("MOVE_CHANGED_BILLING", {
      subscription: subscriptionId,
      price: retirement.to,
      what: changed,
    });
  }
  return {
    kind: "done",
    commit: (trx) => endMove(trx, moveId, { state: "MOVED", dueAfter: dueOf(seen, itemId) }),
  };
}

function beforeOf(subscription: StripeSubscription, itemId: string): Before {
  return {
    anchor: subscription.billingAnchor,
    due: dueOf(subscription, itemId) ?? subscription.billingAnchor,
    paused: isPaused(standingOf(subscription)),
  };
}

/** A period that came to its end meanwhile moves the next date on, as it always does; nothing else may. */
function changedSince(before: Before, now: Before, at: Date): string | null {
  if (now.anchor.getTime() !== before.anchor.getTime()) return "what its billing dates are counted from";
  const hasRenewed = before.due <= at && now.due > before.due;
  if (now.due.getTime() !== before.due.getTime() && !hasRenewed) return "its billing date";
  return now.paused === before.paused ? null : "its pause";
}

function hasPrice({ items }: StripeSubscription, itemId: string, price: string): boolean {
  return items.some((item) => item.id === itemId && item.priceId === price);
}

async function tellWhose(ctx: StepContext, { customerId }: StripeSubscription): Promise<void> {
  const customer = await findCustomer(ctx.deps.db, "stripe_customer_id", customerId);
  if (customer) ctx.about({ customerId: customer.id });
}

function calledOff(moveId: number, why: CalledOff["why"]): Outcome {
  return {
    kind: "done",
    commit: (trx) =>
      endMove(
        trx,
        moveId,
        why === "ALREADY_THERE" ? { state: why } : { state: "NOT_MOVED", finding: why },
      ),
  };
}

function isRefusedMove(error: unknown): error is VendorError {
  return error instanceof VendorError && error.failure === "refused" && !refusesOurKey(error) &&
    error.operation === "move subscription item";
}

function refused(moveId: number, { vendor, operation, details }: VendorError): Outcome {
  const { status = "-", code = "-" } = details;
  return {
    kind: "stopped",
    reason: reason("VENDOR_REFUSED", { vendor, operation, status, code }),
    commit: (trx) => countRefusal(trx, moveId),
  };
}
