import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import { matchesNothing, matching, type Which } from "./find.ts";
import type { DataOf, StepName } from "./step-data.ts";

/** Tasks to be run again. `status` is for the waking to say. */
export type Woken<Name extends StepName> =
  & Omit<Which<Name>, "status">
  & (Required<Pick<Which<Name>, "ids">> | Required<Pick<Which<Name>, "step">>);

/**
 * Runs tasks now that stopped at a person, because their question may be answered. `clockwork.guard_task()` gives them new
 * tries and takes the old reason away. A task that runs, has ended, or was dropped is left alone. Gives the ids.
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
      run_after: sql<Date>`least(run_after, clockwork.now())`,
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
