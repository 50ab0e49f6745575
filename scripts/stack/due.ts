import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/** Whether a drain would find something to take up now: one statement, where a drain that finds nothing needs twenty. */
export async function isSomethingDue(db: Database): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    select exists (
      select from clockwork.tasks join clockwork.vendors using (vendor)
      where tasks.status in ('PENDING', 'QUEUED') and tasks.run_after <= clockwork.now()
        and coalesce(vendors.paused_until <= clockwork.now(), true)) as due`.execute(db);
  return rows[0]?.due ?? false;
}
