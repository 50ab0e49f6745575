import type { Trx } from "../../db/database.ts";
import { takeIn } from "../../ingest/record.ts";
import { findTasks } from "../../queue/find.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";
import type { VendorEvent } from "../../vendors/contract.ts";

/**
 * Invoices that were paid in a time whose events Stripe does not list any more. Born in front of a person, who looks first
 * what has been settled since: what nobody shipped for a month may have been refunded, or sent another way. A resend goes
 * through them page by page; each that was never seen here is taken in as its webhook would have been.
 */
export const completenessInvoices = defineOwnStep("completeness.invoices", {
  queue: "stripe",
  async run(ctx, { from, until, cursor }) {
    const page = await ctx.vendors.stripe.listPaidInvoices({
      since: new Date(from),
      until: new Date(until),
      cursor: cursor ?? null,
    });
    return {
      kind: "done",
      commit: async (trx): Promise<FollowUp[]> => {
        await takeIn(trx, ctx.steps, "stripe", await neverSeen(trx, page.entries), ctx.task.id);
        return page.next === null
          ? []
          : [{ step: "completeness.invoices", data: { from, until, cursor: page.next } }];
      },
    };
  },
});

/** An invoice that any task or order is about was seen. */
async function neverSeen(trx: Trx, events: readonly VendorEvent[]): Promise<VendorEvent[]> {
  const ids = events.map(invoiceOf);
  if (ids.length === 0) return [];
  const tasks = await findTasks(trx, { invoiceId: ids });
  const orders = await trx.selectFrom("tracker.orders").select("invoice_id").distinct()
    .where("invoice_id", "in", ids).execute();
  const seen = new Set([
    ...tasks.map(({ invoiceId }) => invoiceId),
    ...orders.map((order) => order.invoice_id),
  ]);
  return events.filter((event) => !seen.has(invoiceOf(event)));
}

function invoiceOf({ attributes }: VendorEvent): string {
  return String(attributes["invoice_id"]);
}
