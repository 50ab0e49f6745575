import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/** Where a retirement stands. */
export interface Progress {
  isListed: boolean;
  /** Stopped pages of the list: nothing goes on without a person. */
  stoppedPage: { task: number; reason: string } | null;
  /** The pages' task is in the queue. */
  isListing: boolean;
  waiting: number;
  settled: number;
  withPerson: number;
  /** Why nothing moves just now. */
  held: string | null;
}

export async function readProgress(db: Database, retirementId: number): Promise<Progress> {
  const { rows } = await sql<{
    listed: boolean;
    listing: boolean;
    waiting: number;
    with_person: number;
    settled: number;
    stopped_task: number | null;
    stopped_reason: string | null;
    held: string | null;
  }>`
    select retirement.listed_at is not null as listed,
      exists (select from clockwork.tasks where tasks.step = 'product.retire' and tasks.status in ('PENDING', 'QUEUED')
        and tasks.data ->> 'retirement_id' = retirement.id::text) as listing,
      count(*) filter (where moves.state = 'waiting')::integer as waiting,
      count(*) filter (where moves.state = 'waiting for a person')::integer as with_person,
      count(*) filter (where moves.state not in ('waiting', 'waiting for a person'))::integer as settled,
      stopped.id as stopped_task, stopped.reason as stopped_reason,
      (select case when settings.maintenance then 'maintenance is on (clockwork.settings)'
        when vendors.paused_until > clockwork.now() then vendors.paused_reason end
        from clockwork.settings cross join clockwork.vendors where vendors.vendor = 'stripe') as held
    from tracker.price_retirements as retirement
    left join ops.price_moves as moves on moves.retirement_id = retirement.id
    left join lateral (
      select tasks.id, tasks.reason from clockwork.tasks
      where tasks.step = 'product.retire' and tasks.status = 'MANUAL_INTERVENTION'
        and tasks.data ->> 'retirement_id' = retirement.id::text and tasks.data ->> 'pass' = retirement.pass::text
      limit 1
    ) as stopped on true
    where retirement.id = ${retirementId}
    group by retirement.id, stopped.id, stopped.reason
  `.execute(db);
  const [row] = rows;
  if (!row) throw new Error(`There is no retirement ${retirementId}`);
  return {
    isListed: row.listed,
    isListing: row.listing,
    stoppedPage: row.stopped_task === null
      ? null
      : { task: row.stopped_task, reason: row.stopped_reason ?? "" },
    waiting: row.waiting,
    settled: row.settled,
    withPerson: row.with_person,
    held: row.held,
  };
}

/** True when nothing goes on by itself any more. */
export function isOver(progress: Progress): boolean {
  return (progress.isListed || !progress.isListing) && progress.waiting === 0;
}

/** How long nothing may happen before the command says what it waits for. */
const QUIET_SECONDS = 60;

/**
 * Looks on until the retirement is over. The moves are the drain's work: whoever interrupts this command stops
 * nothing.
 */
export async function follow(
  db: Database,
  retirementId: number,
  { show, say, wait }: {
    show: (progress: Progress) => void;
    say: (line: string) => void;
    wait: (seconds: number) => Promise<void>;
  },
): Promise<Progress> {
  let quiet = 0;
  let seen = "";
  for (;;) {
    const progress = await readProgress(db, retirementId);
    show(progress);
    if (isOver(progress)) return progress;
    const now = JSON.stringify(progress);
    quiet = now === seen ? quiet + 1 : 0;
    seen = now;
    if (quiet > 0 && quiet % QUIET_SECONDS === 0) {
      say(
        progress.held
          ? `Stripe's work is held: ${progress.held}`
          : "Nothing has moved for a minute. The moves are made by the drain, which pg_cron calls: see ops.waiting and cron.job_run_details.",
      );
    }
    await wait(1);
  }
}

/** `████████░░░░  120 of 300` */
export function progressBar(done: number, all: number, width = 30): string {
  const share = all === 0 ? 1 : done / all;
  const full = Math.floor(share * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)}  ${done} of ${all}`;
}
