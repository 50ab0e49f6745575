import type { Trx } from "../../db/database.ts";
import { findTasks } from "../../queue/find.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * Invoices that were paid in a time whose events Stripe does not list any more. Born in front of a person, who looks first
 * what has been settled since: what nobody shipped for a month may have been refunded, or sent another way. A resend goes
 * through them page by page, and has the orders made of each that was never seen here.
 */
export const completenessInvoices = defineOwnStep("completeness.invoices", {
  queue: "stripe",
  async run(ctx, { from, until, cursor }) {
    const { entries, next } = await ctx.vendors.stripe.listPaidInvoices({
      since: new Date(from),
      until: new Date(until),
      cursor: cursor ?? null,
    });
    return {
      kind: "done",
      commit: async (trx) => {
        const followUps: FollowUp[] = (await neverSeen(trx, entries)).map((invoice_id) => ({
          step: "order.make",
          data: { invoice_id },
        }));
        if (next !== null) {
          followUps.push({ step: "completeness.invoices", data: { from, until, cursor: next } });
        }
        return followUps;
      },
    };
  },
});

/** An invoice that any task or order is about was seen. */
async function neverSeen(trx: Trx, invoiceIds: readonly string[]): Promise<string[]> {
  if (invoiceIds.length === 0) return [];
  const tasks = await findTasks(trx, { invoiceId: invoiceIds });
  const orders = await trx.selectFrom("tracker.orders").select("invoice_id").distinct()
    .where("invoice_id", "in", invoiceIds).execute();
  const seen = new Set([
    ...tasks.map(({ invoiceId }) => invoiceId),
    ...orders.map((order) => order.invoice_id),
  ]);
  return invoiceIds.filter((id) => !seen.has(id));
}
