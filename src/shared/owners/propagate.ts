import type { Trx } from "../db/database.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";

/**
 * Propagates a customer's contact facts: by a task that waits or stopped, which runs now, or else by a new one. The news
 * may answer the question of a stopped task, and a second question would stand beside it.
 */
export async function propagateContact(
  trx: Trx,
  customerId: number,
  step: "owner.propagate_contact" | "owner.propagate_login" = "owner.propagate_contact",
): Promise<FollowUp[]> {
  const data = { customer_id: customerId };
  const woken = await wakeTasks(trx, { step, customerId, about: data }, { alsoWaiting: true });
  return woken.length > 0 ? [] : [{ step, data }];
}
