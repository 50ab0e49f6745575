import type { Pool, QueryResult } from "pg";
import { escapeIdentifier } from "pg";
import { type Loop, makeLoop } from "./loop.ts";
import { nextDue } from "./schedule.ts";

interface CronDeps {
  /** As the role that owns the jobs (`postgres`), or as a superuser. Each running job holds a connection. */
  pool: Pool;
  now: () => Promise<Date> | Date;
  /** Called when a poll itself fails (no database); a failed job is only a row in cron.job_run_details. */
  onError?: (error: unknown) => void;
}

export interface Cron extends Loop {
  /**
   * Runs every active job that became due since the last poll, once, however many times it was due. The first poll of
   * a job only notes the time, as pg_cron does not make up for missed times.
   * @returns how many jobs ran, failed ones included
   */
  runDue(): Promise<number>;
}

interface Job {
  jobid: string;
  schedule: string;
  command: string;
  username: string;
}

const POLL_EVERY_MS = 500;

/** Does the work of pg_cron's background worker for the stand-in extension, in one database. */
export function makeCron({ pool, now, onError = console.error }: CronDeps): Cron {
  /** Job and schedule to the time it is counted from. A changed schedule counts anew. */
  const since = new Map<string, Date>();
  const running = new Map<string, Promise<void>>();

  /** Starts the due jobs. A job that still runs is not started again: it stays due for the next poll. */
  const startDue = async (): Promise<Promise<void>[]> => {
    // Not filtered by cron.job.database: a copy of a template database holds the template's name there.
    const { rows } = await pool.query<Job>(
      "select jobid, schedule, command, username from cron.job where active",
    );
    const time = await now();
    const known = new Set<string>();
    const started: Promise<void>[] = [];
    for (const job of rows) {
      const key = `${job.jobid} ${job.schedule}`;
      known.add(key);
      const last = since.get(key);
      if (!last || last > time) { // new, or the clock was set back
        since.set(key, time);
        continue;
      }
      if (running.has(job.jobid) || nextDue(job.schedule, last) > time) continue;
      since.set(key, time);
      const run = runJob(pool, job).finally(() => running.delete(job.jobid));
      running.set(job.jobid, run);
      started.push(run);
    }
    for (const key of since.keys()) if (!known.has(key)) since.delete(key);
    return started;
  };

  const loop = makeLoop(
    async () => {
      // Not awaited: a slow job must not delay the others.
      for (const run of await startDue()) void run.catch(onError);
    },
    POLL_EVERY_MS,
    onError,
  );
  return {
    runDue: async () => (await Promise.all(await startDue())).length,
    start: loop.start,
    async stop() {
      await loop.stop();
      await Promise.allSettled(running.values());
    },
  };
}

/** Runs one job on a connection of its own, as its owner, and keeps its row in cron.job_run_details. */
async function runJob(pool: Pool, job: Job): Promise<void> {
  const client = await pool.connect();
  let clean = false;
  try {
    const { rows: [run] } = await client.query<{ runid: string }>(
      `insert into cron.job_run_details (jobid, job_pid, database, username, command, status, start_time)
       values ($1, pg_backend_pid(), current_database(), $2, $3, 'running', clock_timestamp()) returning runid`,
      [job.jobid, job.username, job.command],
    );
    await client.query(`set role ${escapeIdentifier(job.username)}`);
    const outcome = await client.query(job.command).then(
      (result: QueryResult | QueryResult[]) => ({ status: "succeeded", message: describe(result) }),
      (error: unknown) => ({
        status: "failed",
        message: `ERROR:  ${error instanceof Error ? error.message : error}`,
      }),
    );
    await client.query("rollback; reset role"); // a command may leave a transaction open
    await client.query(
      `update cron.job_run_details set status = $2, return_message = $3, end_time = clock_timestamp()
       where runid = $1`,
      [run?.runid, outcome.status, outcome.message],
    );
    clean = outcome.status === "succeeded";
  } finally {
    client.release(!clean); // after a failure the connection's state is not trusted
  }
}

/** The message as pg_cron writes it: the row count of a query, else the command's tag. */
function describe(result: QueryResult | QueryResult[]): string {
  const last = Array.isArray(result) ? result.at(-1) : result;
  if (!last) return "";
  if (last.fields.length > 0) return last.rows.length === 1 ? "1 row" : `${last.rows.length} rows`;
  if (last.rowCount === null) return last.command;
  return last.command === "INSERT" ? `INSERT 0 ${last.rowCount}` : `${last.command} ${last.rowCount}`;
}
