import type { Trx } from "../db/database.ts";
import { unlessOpen } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { WAITING_STATES } from "./orders.ts";

/** The reviews of the invoices whose fills are not on their way: what is wanted of them may have changed. */
export async function reviewsOf(
  trx: Trx,
  which: { subscription_id: string } | { customer_id: number },
): Promise<FollowUp[]> {
  const invoices = await trx
    .selectFrom("tracker.orders")
    .select("invoice_id")
    .distinct()
    .where((eb) => eb.and(which))
    .where("state", "in", [...WAITING_STATES, "PLACED", "FILLING"])
    .orderBy("invoice_id")
    .execute();
  const followUps: FollowUp[] = [];
  for (const { invoice_id } of invoices) {
    followUps.push(...await unlessOpen(trx, { step: "order.review", data: { invoice_id } }, "PENDING"));
  }
  return followUps;
}
