import type { Trx } from "../db/database.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { wakeTasks } from "../queue/wake.ts";

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
  const data = { customer_id: customerId };
  const woken = await wakeTasks(trx, { step, customerId, about: data }, { alsoWaiting: true });
  return woken.length > 0 ? [] : [{ step, data }];
}
