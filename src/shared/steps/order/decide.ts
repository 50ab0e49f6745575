import { isSameQuestion } from "../../orders/decisions.ts";
import { readInvoice } from "../../orders/invoices.ts";
import { LINE_QUESTIONS } from "../../orders/lines.ts";
import { readPaidFor } from "../../orders/paid-for.ts";
import { openQuestions } from "../../orders/questions.ts";
import { judgeOrders, ordersOf } from "../../orders/verdict.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, type Outcome, type StepContext } from "../../queue/step.ts";

/**
 * A person's question about held fills of an invoice. Answered, it has the invoice reviewed. Run without an answer, it stays
 * in front of a person for as long as its case does.
 */
export const orderDecide = defineOwnStep("order.decide", {
  queue: "stripe",
  async run(ctx, data) {
    const { invoice_id } = data;
    ctx.about({ invoiceId: invoice_id });
    if (data.case in LINE_QUESTIONS) return await decideLine(ctx, data);
    const orders = await ordersOf(ctx.deps.db, invoice_id);
    const questions = await openQuestions(ctx.deps.db, orders, await judgeOrders(ctx, orders));
    const own = questions.find((one) => isSameQuestion(one.data, data));
    if (own) return { kind: "stopped", reason: own.person };
    const review: FollowUp = { step: "order.review", data: { invoice_id } };
    return { kind: "done", commit: () => [review] };
  },
});

/** A line that pays for fills only if a person says so. Answered, its invoice's orders are made again. */
async function decideLine(ctx: StepContext, data: DataOf<"order.decide">): Promise<Outcome> {
  const { invoice_id } = data;
  const { asked } = await readPaidFor(ctx, await readInvoice(ctx.vendors.stripe, invoice_id));
  const own = asked.find((one) => isSameQuestion(one.data, data));
  if (own) return { kind: "stopped", reason: own.person };
  const make: FollowUp = { step: "order.make", data: { invoice_id } };
  return { kind: "done", commit: () => [make] };
}
