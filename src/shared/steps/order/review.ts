import type { Trx } from "../../db/database.ts";
import { type Treatment, TREATMENTS } from "../../orders/cases.ts";
import { isSameQuestion, type Question } from "../../orders/decisions.ts";
import { cancelOf, lockOrder, type Order, releaseOrders, replacementOf } from "../../orders/orders.ts";
import { openQuestions, outcomeOf, treatmentOf } from "../../orders/questions.ts";
import { judgeOrders, ordersOf, type Verdict } from "../../orders/verdict.ts";
import { ask } from "../../queue/ask.ts";
import { openTasks, unlessOpen } from "../../queue/open.ts";
import { type FollowUp, reason } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { wakeTasks } from "../../queue/wake.ts";

/**
 * Judges the fills of one invoice anew, because its money or its subscription changed, and treats each by the state of its
 * order. Questions are asked, and those whose case is over end.
 */
export const orderReview = defineOwnStep("order.review", {
  queue: "stripe",
  async run(ctx, { invoice_id: invoiceId }) {
    ctx.about({ invoiceId });
    const orders = await ordersOf(ctx.deps.db, invoiceId);
    const [first] = orders;
    if (!first) return { kind: "done" };
    ctx.about({ customerId: first.customer_id });
    const verdicts = await judgeOrders(ctx, orders);
    return {
      kind: "done",
      commit: async (trx) => {
        const followUps = await treat(trx, ctx, verdicts);
        const questions = await openQuestions(trx, await ordersOf(trx, invoiceId), verdicts);
        await endOthers(trx, invoiceId, questions);
        for (const question of questions) await ask(trx, ctx, question);
        return followUps;
      },
    };
  },
});

async function treat(
  trx: Trx,
  ctx: StepContext,
  verdicts: ReadonlyMap<number, Verdict>,
): Promise<FollowUp[]> {
  const followUps: FollowUp[] = [];
  for (const [id, verdict] of verdicts) {
    const order = await lockOrder(trx, id);
    const treatment = await treatmentOf(trx, order, verdict);
    switch (outcomeOf(order, treatment)) {
      case "called off":
      case "cancelled":
      case "too late":
        followUps.push(
          ...await unlessOpen(trx, cancelOf(order, order.cancel_cause ?? treatment.cause ?? "person")),
        );
        break;
      case "ships":
        await releaseOrders(trx, { id });
        break;
      case null:
        if (isReinstated(order, treatment)) await askToShipAfterAll(trx, ctx, order);
    }
  }
  return followUps;
}

/** The cause of its cancel is over: a dispute was won, a refund failed, a note was voided. */
function isReinstated({ state, cancel_cause }: Order, { notSent }: Treatment): boolean {
  const isByMoney = cancel_cause === "refunded" || cancel_cause === "disputed" || cancel_cause === "voided";
  return state === "CANCELLED" && isByMoney && notSent === "ships";
}

async function askToShipAfterAll(trx: Trx, ctx: StepContext, order: Order): Promise<void> {
  if (await replacementOf(trx, order) !== undefined) return;
  await ask(trx, ctx, {
    step: "order.replace",
    data: { order_id: order.id },
    person: reason("PAID_AFTER_ALL", { order: order.id }),
  });
}

/** Wakes the invoice's questions about held fills whose case is over: they end. Those about lines are not of this place. */
async function endOthers(trx: Trx, invoiceId: string, questions: readonly Question[]): Promise<void> {
  const open = await openTasks(trx, {
    step: "order.decide",
    invoiceId: [invoiceId],
    status: "MANUAL_INTERVENTION",
  });
  const ofFills = open.filter(({ data }) => String(data["case"]) in TREATMENTS);
  const over = ofFills.filter(({ data }) => !questions.some((one) => isSameQuestion(one.data, data)));
  await wakeTasks(trx, { ids: over.map(({ id }) => id) });
}
