import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { withClient } from "../stack/client.ts";
import type { LocalPostgres } from "../stack/postgres.ts";
import { PROJECT } from "../stack/project.ts";
import { sentenceOf } from "../command.ts";
import { type Report, same } from "./report.ts";

const JOBS = "select jobname, schedule, command, database, username, active from cron.job order by jobname";

/** The claims about the migrations and pg_cron at rest. */
export async function checkSchedules(
  { check }: Report,
  server: LocalPostgres,
  pool: pg.Pool,
): Promise<void> {
  const folder = join(PROJECT, "supabase/migrations");
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql")).toSorted();
  let version = "";

  await check("every migration is applied, unchanged", async () => {
    const { rows } = await pool.query<{ version: string }>(
      "select version from supabase_migrations.schema_migrations order by version",
    );
    same(rows.map((row) => row.version), files.map((name) => name.split("_")[0]));
    return `${files.length} migrations`;
  });

  await check("pg_cron is the real one, and its launcher runs", async () => {
    const { rows: [found] } = await pool.query(
      `select extversion,
         (select probin from pg_proc where oid = 'cron.schedule(text, text, text)'::regprocedure) as library,
         (select count(*) from pg_stat_activity where backend_type = 'pg_cron launcher') as launchers
       from pg_extension where extname = 'pg_cron'`,
    );
    version = String(found?.extversion);
    same([found?.library, found?.launchers], ["$libdir/pg_cron", "1"]);
    return `version ${version}`;
  });

  await check("all schedules exist, as this version of pg_cron knows them", async () => {
    const { rows } = await pool.query(JOBS);
    const ours = rows.filter(({ jobname }) => jobname.startsWith("clockwork-"));
    const [major = 0, minor = 0] = version.split(/[.-]/).map(Number);
    const tick = major > 1 || minor >= 5 ? "10 seconds" : "* * * * *";
    for (
      const [jobname, schedule, command] of [
        ["clockwork-clean-cron-log", "17 3 * * *", "select clockwork.clean_cron_log()"],
        ["clockwork-nightly-work", "*/5 * * * *", "select clockwork.start_nightly_work()"],
        ["clockwork-due-renewals", "*/5 * * * *", "select clockwork.start_due_renewals()"],
        ["clockwork-tick", tick, "select clockwork.tick()"],
      ]
    ) {
      const wanted = { jobname, schedule, command, database: "postgres", username: "postgres", active: true };
      same(ours.find((job) => job.jobname === jobname), wanted);
    }
    return `clockwork-tick at '${tick}'`;
  });

  await check("scheduling once more leaves each job once", async () => {
    const { rows: before } = await pool.query(JOBS);
    const blocks = files.flatMap((name) =>
      [...readFileSync(join(folder, name), "utf8").matchAll(/^do \$\$\n[\s\S]*?^\$\$;/gm)].map(([block]) =>
        block
      )
    ).filter((block) => block.includes("cron.schedule("));
    if (blocks.length === 0) throw new Error("no migration schedules anything");
    for (const block of blocks) await pool.query(block);
    same((await pool.query(JOBS)).rows, before);
  });

  await check("role postgres changes jobs through pg_cron's functions only", async () => {
    await refused(pool, "update cron.job set active = false", /permission denied/);
    await refused(
      pool,
      "insert into cron.job (schedule, command) values ('* * * * *', 'select 1')",
      /permission denied/,
    );
  });

  await check("the Data API's roles reach neither the jobs nor the schedules", async () => {
    await withClient(server.superuserUrl("postgres"), async (admin) => {
      for (const role of ["anon", "authenticated", "service_role"]) {
        await admin.query(`set role ${role}`);
        await refused(admin, "select * from cron.job", /permission denied/);
        await refused(admin, "select cron.schedule('x', '* * * * *', 'select 1')", /permission denied/);
        await refused(admin, "select clockwork.tick()", /permission denied/);
        await admin.query("reset role");
      }
    });
  });

  await check("clockwork.clean_cron_log() keeps a week of pg_cron's own log", async () => {
    await pool.query(
      `insert into cron.job_run_details (runid, jobid, username, status, command, start_time, end_time) values
         (-1, 0, current_user, 'succeeded', 'old', now() - interval '9 days', now() - interval '8 days'),
         (-2, 0, current_user, 'succeeded', 'new', now() - interval '6 days', now() - interval '6 days')`,
    );
    same((await pool.query("select clockwork.clean_cron_log() as gone")).rows, [{ gone: "1" }]);
    same((await pool.query("delete from cron.job_run_details where runid < 0 returning runid")).rows, [{
      runid: "-2",
    }]);
  });
}

async function refused(on: pg.Pool | pg.Client, sql: string, why: RegExp): Promise<void> {
  const outcome = await on.query(sql).then(() => "it was allowed", sentenceOf);
  if (!why.test(outcome)) throw new Error(`${sql}: ${outcome}`);
}
