import { sql } from "kysely";
import type { Trx } from "../db/database.ts";
import { matchesNothing, matching, type Which } from "./find.ts";
import type { DataOf, StepName } from "./step-data.ts";

/** The tasks to wake; `ids` or `step` must be given. */
type Woken<Name extends StepName> =
  & Omit<Which<Name>, "status">
  & (Required<Pick<Which<Name>, "ids">> | Required<Pick<Which<Name>, "step">>);

/**
 * Runs tasks in MANUAL_INTERVENTION now, because their cause may be gone. `clockwork.guard_task()` gives them new tries. A
 * task that runs, has ended, or was cancelled is left alone. Returns the ids.
 * @param alsoWaiting PENDING tasks run now too; they keep their tries
 * @param without an attribute to remove from `data`: an answer that nobody gave
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
 * Resends stopped and cancelled tasks for a person, as they would in the table editor. `clockwork.guard_task()` gives new
 * tries and clears the reason. The transaction carries the person's name.
 */
export async function resendTasks<Name extends StepName>(trx: Trx, which: Woken<Name>): Promise<void> {
  await trx.updateTable("clockwork.tasks").set({ status: "PENDING" })
    .where(matching({ ...which, status: ["MANUAL_INTERVENTION", "CANCELLED"] }))
    .execute();
}
