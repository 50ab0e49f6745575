import type { Trx } from "../db/database.ts";
import { unlessOpen } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { WAITING_STATES } from "./orders.ts";

/** The review of an invoice's fills, unless one is PENDING: it will read the same. */
export async function reviewOf(trx: Trx, invoiceId: string): Promise<FollowUp[]> {
  return await unlessOpen(trx, { step: "order.review", data: { invoice_id: invoiceId } }, "PENDING");
}

/** The reviews of a subscription's invoices whose fills are not on their way: what is wanted of them may have changed. */
export async function reviewsOf(trx: Trx, subscriptionId: string): Promise<FollowUp[]> {
  const invoices = await trx
    .selectFrom("tracker.orders")
    .select("invoice_id")
    .distinct()
    .where("subscription_id", "=", subscriptionId)
    .where("state", "in", [...WAITING_STATES, "PLACED", "FILLING"])
    .orderBy("invoice_id")
    .execute();
  const followUps: FollowUp[] = [];
  for (const { invoice_id } of invoices) followUps.push(...await reviewOf(trx, invoice_id));
  return followUps;
}
