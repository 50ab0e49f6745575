import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import { matchesNothing, matching, type Which } from "./find.ts";
import type { DataOf, StepName } from "./step-data.ts";

/** Tasks to be run again. `status` is for the waking to say. */
export type Woken<Name extends StepName> =
  & Omit<Which<Name>, "status">
  & (Required<Pick<Which<Name>, "ids">> | Required<Pick<Which<Name>, "step">>);

/**
 * Runs tasks now that stopped at a person, because what they asked may be settled: they begin anew, with all their tries
 * and without the old reason. A task that runs or has ended is left alone, one that a person dropped too. Gives the ids.
 * @param alsoWaiting PENDING ones are brought forward too. They wait for nothing any more, and keep their tries
 * @param without an attribute that is taken out of `data`: an answer that nobody gave
 */
export async function wakeTasks<Name extends StepName>(
  trx: Trx,
  which: Woken<Name>,
  { alsoWaiting = false, without }: { alsoWaiting?: boolean; without?: string & keyof DataOf<Name> } = {},
): Promise<number[]> {
  if (matchesNothing(which)) return [];
  const woken = await trx
    .updateTable("clockwork.tasks")
    .set({
      status: "PENDING",
      run_after: sql<Date>`least(case status when 'PENDING' then run_after end, clockwork.now())`,
      attempts: sql<number>`case status when 'PENDING' then attempts else 0 end`,
      reason: null,
      reason_code: null,
      ...(without === undefined ? {} : { data: sql`data - ${without}::text` }),
    })
    .where(matching({
      ...which,
      status: alsoWaiting ? ["PENDING", "MANUAL_INTERVENTION"] : "MANUAL_INTERVENTION",
    }))
    .returning("id")
    .execute();
  return woken.map(({ id }) => id);
}

/**
 * Does for a person what they would do in the table editor: runs a task again that stopped, or that somebody dropped. The
 * database gives it its tries and takes the reason away. The transaction carries the person's name.
 */
export async function resendTasks<Name extends StepName>(trx: Trx, which: Woken<Name>): Promise<void> {
  await trx.updateTable("clockwork.tasks").set({ status: "PENDING" })
    .where(matching({ ...which, status: ["MANUAL_INTERVENTION", "CANCELLED"] }))
    .execute();
}
