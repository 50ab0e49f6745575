import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import type { FollowUp } from "../queue/reasons.ts";

/** The steps that set a customer's contact facts. */
type ContactStep = "owner.propagate_contact" | "owner.propagate_login";

/**
 * What brings a customer's contact facts to their mirrors: a new task, or the one that waits already, for it has not read
 * the owner yet. One that stopped at a person runs again: the news may have settled what was asked, and a second question
 * would stand beside it.
 */
export async function propagateContact(
  trx: Trx,
  customerId: number,
  step: ContactStep = "owner.propagate_contact",
): Promise<FollowUp[]> {
  const waiting = await trx.updateTable("clockwork.tasks")
    .set({
      status: "PENDING",
      run_after: sql`least(run_after, clockwork.now())`,
      attempts: sql`case status when 'PENDING' then attempts else 0 end`,
      reason: null,
      reason_code: null,
    })
    .where("step", "=", step)
    .where("customer_id", "=", customerId)
    .where("status", "in", ["PENDING", "MANUAL_INTERVENTION"])
    .where(sql<boolean>`data ->> 'customer_id' = ${String(customerId)}`)
    .returning("id")
    .execute();
  return waiting.length > 0 ? [] : [{ step, data: { customer_id: customerId } }];
}
