import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/** The state of a retirement: whether its subscribers are all listed, and the number of moves by state. */
interface Progress {
  is_listed: boolean;
  /** The task of a page is in the queue. */
  is_listing: boolean;
  waiting: number;
  with_person: number;
  ended: number;
  /** A page of the list that stopped: nothing goes on without a person. */
  stopped: { task: number; reason: string } | null;
  /** The reason why nothing moves just now. */
  held: string | null;
}

async function readProgress(db: Database, retirementId: number): Promise<Progress> {
  const { rows: [progress] } = await sql<Progress>`
    select retirement.listed_at is not null as is_listed,
      exists (select from clockwork.tasks where tasks.step = 'product.retire' and tasks.status in ('PENDING', 'QUEUED')
        and tasks.data ->> 'retirement_id' = retirement.id::text) as is_listing,
      count(*) filter (where moves.state = 'waiting')::integer as waiting,
      count(*) filter (where moves.state = 'waiting for a person')::integer as with_person,
      count(*) filter (where moves.state not in ('waiting', 'waiting for a person'))::integer as ended,
      (select json_build_object('task', tasks.id, 'reason', coalesce(tasks.reason, '')) from clockwork.tasks
        where tasks.step = 'product.retire' and tasks.status = 'MANUAL_INTERVENTION'
          and tasks.data ->> 'retirement_id' = retirement.id::text and tasks.data ->> 'pass' = retirement.pass::text
        limit 1) as stopped,
      (select case when settings.maintenance then 'maintenance is on (clockwork.settings)'
        when vendors.paused_until > clockwork.now() then vendors.paused_reason end
        from clockwork.settings cross join clockwork.vendors where vendors.vendor = 'stripe') as held
    from tracker.price_retirements as retirement
    left join ops.price_moves as moves on moves.retirement_id = retirement.id
    where retirement.id = ${retirementId}
    group by retirement.id
  `.execute(db);
  if (!progress) throw new Error(`There is no retirement ${retirementId}`);
  return progress;
}

/** Without progress for so long, the command says the reason. */
const QUIET_SECONDS = 60;

/**
 * Shows the drain's progress until the retirement is over: nothing goes on by itself any more.
 * @param say prints a line for the person
 * @returns the page of the list that stopped, if one did
 */
export async function follow(
  db: Database,
  retirementId: number,
  say: (line: string) => void,
): Promise<Progress["stopped"]> {
  const show = showProgress(say);
  let quiet = 0;
  let last = "";
  for (;;) {
    const progress = await readProgress(db, retirementId);
    show(progress);
    const now = JSON.stringify(progress);
    quiet = now === last ? quiet + 1 : 0;
    last = now;
    if ((progress.is_listed || !progress.is_listing) && progress.waiting === 0) return progress.stopped;
    if (quiet > 0 && quiet % QUIET_SECONDS === 0) {
      say(
        progress.held
          ? `Stripe's work is held: ${progress.held}`
          : "Nothing has moved for a minute. The moves are made by the drain, which pg_cron calls: see ops.waiting and cron.job_run_details.",
      );
    }
    await sleep(1000);
  }
}

/** One line that is drawn anew on a terminal; elsewhere a line a change. */
function showProgress(say: (line: string) => void) {
  let last = "";
  return ({ waiting, ended, with_person, is_listed }: Progress): void => {
    const done = ended + with_person;
    const line = `${progressBar(done, done + waiting)}${is_listed ? "" : " so far"}${
      with_person > 0 ? `, ${with_person} with a person` : ""
    }`;
    if (line === last) return;
    last = line;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else say(line);
  };
}

/** `████████░░░░  120 of 300` */
export function progressBar(done: number, all: number, width = 30): string {
  const share = all === 0 ? 1 : done / all;
  const full = Math.floor(share * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)}  ${done} of ${all}`;
}
