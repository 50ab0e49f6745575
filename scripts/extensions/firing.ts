import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { connect } from "../../src/shared/db/database.ts";
import { makeClinic } from "../sandbox/clinic.ts";
import { makeFunctionLog } from "../stack/function-log.ts";
import { serveFunctions } from "../stack/functions.ts";
import { makeNet } from "../stack/net.ts";
import { freePort } from "../stack/ports.ts";
import type { LocalPostgres } from "../stack/postgres.ts";
import { PROJECT } from "../stack/project.ts";
import { seeded } from "../sandbox/random.ts";
import { startVendors } from "../sandbox/vendors.ts";
import { type Report, same } from "./report.ts";

/** A minute's schedule, and a little for the run itself. */
const LONGEST_WAIT_MS = 75_000;
const SAY_EVERY_MS = 15_000;

/** pg_cron fires without the Vault's entries: the run fails with our sentence, and nothing is sent. */
export async function checkMissingVault(
  report: Report,
  server: LocalPostgres,
  pool: pg.Pool,
): Promise<void> {
  const { rows: [task] } = await pool.query(
    "insert into clockwork.tasks (step) values ('test.step') returning id",
  );
  // A job at the server's start saves a minute. The tick itself still fires when its moment comes.
  await pool.query("select cron.schedule('tick-at-start', '@reboot', 'select clockwork.tick()')");
  report.step("Restarting the server: a job at the start saves waiting for the next minute");
  await server.restart();
  await report.check("without Vault's entries the run fails, with our sentence", async () => {
    const run = await runOf(report, pool, "tick-at-start", "failed", new Date(0));
    const sentence = "Vault has no secret clockwork_functions_url, so drain was not called.";
    if (!run.message.includes(sentence)) throw new Error(`cron.job_run_details says: ${run.message}`);
    return `job_run_details: ${run.message.split("\n")[0]}`;
  });
  await report.check("and nothing was sent", async () => {
    same((await pool.query("select count(*) as sent from net.http_request_queue")).rows, [{ sent: "0" }]);
  });
  await pool.query("select cron.unschedule('tick-at-start')");
  await pool.query("update clockwork.tasks set status = 'CANCELLED' where id = $1", [task?.id]);
}

/** pg_cron fires the tick, the tick calls the drain, and the drain places a paid order at the pharmacy. */
export async function checkFiring(
  report: Report,
  databaseUrl: string,
  pool: pg.Pool,
  undo: (() => Promise<void> | void)[],
): Promise<void> {
  report.step("Starting the functions under Deno and the vendors' sandboxes");
  const port = await freePort();
  const functionsUrl = `http://127.0.0.1:${port}/functions/v1`;
  const cronSecret = randomBytes(24).toString("hex");
  const now = () => new Date();
  const vendors = await startVendors({ now, random: seeded(1), webhooksUrl: `${functionsUrl}/webhooks` });
  undo.push(() => vendors.close());
  const functionLog = makeFunctionLog();
  const functions = await serveFunctions({
    root: PROJECT,
    port,
    env: { CLOCKWORK_DB_URL: databaseUrl, CLOCKWORK_CRON_SECRET: cronSecret, ...vendors.env },
    log: functionLog.take,
  });
  undo.push(() => functions.stop());
  const { db, close } = connect(databaseUrl);
  undo.push(close);
  const net = makeNet({ pool, fetch });
  undo.push(() => net.stop());
  net.start();

  const clinic = makeClinic(db, vendors, now);
  await clinic.openShop();
  const person = await clinic.signUp("Ada Test");
  clinic.prescribe(person, "price_morning_month");
  clinic.subscribe(person, "price_morning_month");
  while (vendors.waiting() > 0) await vendors.flush();
  const { rows: [filled] } = await pool.query<{ at: Date }>("select clock_timestamp() as at");
  const since = filled?.at ?? now();
  await pool.query("select vault.create_secret($1, 'clockwork_functions_url')", [functionsUrl]);
  await pool.query("select vault.create_secret($1, 'clockwork_cron_secret')", [cronSecret]);
  const due = await pool.query("select step from clockwork.tasks where status = 'PENDING'");
  report.step(`A customer paid: ${due.rows.length} webhooks are tasks. Nobody runs them but pg_cron`);

  await report.check("pg_cron fires the tick", async () => {
    const run = await runOf(report, pool, "clockwork-tick", "succeeded", since);
    return `job_run_details: succeeded, ${run.message}, ${run.took}`;
  });
  await report.check("the tick's call is answered by the drain", async () => {
    const ask = () => pool.query<{ status_code: number }>("select status_code from net._http_response");
    const { rows } = await until(report, "the drain's answer", ask, ({ rows }) => rows.length > 0);
    same(rows.map(({ status_code }) => status_code), [202]);
    return "202";
  });
  await report.check("the drain runs the charge and the order to DONE", async () => {
    const ask = () =>
      pool.query<{ step: string; status: string }>(
        "select step, status from clockwork.tasks where step in ('stripe.invoice.paid', 'order.make', 'order.place') order by id",
      );
    const isDone = ({ rows }: pg.QueryResult) =>
      rows.length === 3 && rows.every(({ status }) => status === "DONE");
    // The order follows from the charge: it may be a later tick's.
    const { rows } = await until(report, "the order", ask, isDone);
    same(rows.map(({ step, status }) => `${step} ${status}`), [
      "stripe.invoice.paid DONE",
      "order.make DONE",
      "order.place DONE",
    ]);
    return rows.map(({ step }) => step).join(", ");
  });
  await report.check("the pharmacy has exactly that one order", async () => {
    const { rows } = await pool.query("select pharmacy_order_id, state from tracker.orders");
    same(rows.map((row) => row.pharmacy_order_id), [...vendors.pharmacy.state.orders.keys()]);
    same(rows.length, 1);
    return `order ${rows[0]?.state}`;
  });
  await report.check("no run of pg_cron failed once Vault was filled", async () => {
    const { rows } = await pool.query(
      "select return_message from cron.job_run_details where status = 'failed' and start_time > $1",
      [since],
    );
    same(rows, []);
  });
}

/** Waits for a run of a job that began after `since` and ended with `status`. */
async function runOf(
  report: Report,
  pool: pg.Pool,
  jobname: string,
  status: "succeeded" | "failed",
  since: Date,
) {
  const ask = () =>
    pool.query<{ message: string; took: string | null }>(
      `select coalesce(runs.return_message, '') as message, (runs.end_time - runs.start_time)::text as took
       from cron.job_run_details as runs join cron.job using (jobid)
       where job.jobname = $1 and runs.status = $2 and runs.start_time > $3 order by runs.runid limit 1`,
      [jobname, status, since],
    );
  const { rows: [run] } = await until(
    report,
    `pg_cron to run ${jobname}`,
    ask,
    ({ rows }) => rows.length > 0,
  );
  if (run) return run;
  const { rows: all } = await pool.query(
    "select job.jobname, runs.status, runs.return_message from cron.job_run_details as runs left join cron.job using (jobid)",
  );
  throw new Error(`none ${status} in ${LONGEST_WAIT_MS / 1000} s. All runs: ${JSON.stringify(all)}`);
}

/** Asks until `isSo`, or until it is too late, and gives the last result. Prints `what` from time to time. */
async function until<Found>(
  report: Report,
  what: string,
  ask: () => Promise<Found>,
  isSo: (found: Found) => boolean,
): Promise<Found> {
  const since = Date.now();
  for (let saidAt = since;; await sleep(250)) {
    const found = await ask();
    if (isSo(found) || Date.now() > since + LONGEST_WAIT_MS) return found;
    if (Date.now() < saidAt + SAY_EVERY_MS) continue;
    saidAt = Date.now();
    report.step(`waiting for ${what}: ${Math.round((saidAt - since) / 1000)} s so far`);
  }
}
