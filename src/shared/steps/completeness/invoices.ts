import type { Trx } from "../../db/database.ts";
import { findTasks } from "../../queue/find.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * The question about invoices that were paid in a time whose events Stripe no longer lists. A person first checks which
 * of them were refunded or shipped another way since. A resend goes through them page by page, and makes the orders of each
 * invoice that no task or order is about.
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
        const followUps: FollowUp[] = (await unknownInvoices(trx, entries)).map((invoice_id) => ({
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

/** The invoices that no task and no order is about. */
async function unknownInvoices(trx: Trx, invoiceIds: readonly string[]): Promise<string[]> {
  if (invoiceIds.length === 0) return [];
  const tasks = await findTasks(trx, { invoiceId: invoiceIds });
  const orders = await trx.selectFrom("tracker.orders").select("invoice_id").distinct()
    .where("invoice_id", "in", invoiceIds).execute();
  const known = new Set([...tasks.map((task) => task.invoiceId), ...orders.map((order) => order.invoice_id)]);
  return invoiceIds.filter((id) => !known.has(id));
}
