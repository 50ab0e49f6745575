import { isSameQuestion, openQuestions } from "../../orders/questions.ts";
import { judgeOrders, ordersOf } from "../../orders/verdict.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * A person's question about held fills of an invoice. Answered, it has the invoice reviewed. Run without an answer, it stays
 * in front of a person for as long as its case does.
 */
export const orderDecide = defineOwnStep("order.decide", {
  queue: "stripe",
  async run(ctx, data) {
    const { invoice_id } = data;
    ctx.about({ invoiceId: invoice_id });
    const verdicts = await judgeOrders(ctx, invoice_id);
    const questions = await openQuestions(ctx.deps.db, await ordersOf(ctx.deps.db, invoice_id), verdicts);
    const own = questions.find((one) => isSameQuestion(one.data, data));
    if (own) return { kind: "stopped", reason: own.person };
    const review: FollowUp = { step: "order.review", data: { invoice_id } };
    return { kind: "done", commit: () => [review] };
  },
});
