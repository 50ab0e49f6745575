import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { one, type Sql, sqlForTest, taskIn } from "./support.ts";

const MIGRATION = readFileSync(
  new URL("../../supabase/migrations/20261127101900_schedule_cron.sql", import.meta.url),
  "utf8",
);
/** The part that schedules: what a person would run again. */
const SCHEDULING = MIGRATION.slice(MIGRATION.indexOf("do $$"));

const JOBS = "select jobname, schedule, command, active, username from cron.job order by jobname";
const EXPECTED = [
  {
    jobname: "clockwork-clean-cron-log",
    schedule: "17 3 * * *",
    command: "select clockwork.clean_cron_log()",
    active: true,
    username: "postgres",
  },
  ...[
    ["clockwork-due-renewals", "select clockwork.start_due_renewals()"],
    ["clockwork-nightly-work", "select clockwork.start_nightly_work()"],
  ].map(([jobname, command]) => ({
    jobname,
    schedule: "*/5 * * * *",
    command,
    active: true,
    username: "postgres",
  })),
  {
    jobname: "clockwork-tick",
    schedule: "10 seconds",
    command: "select clockwork.tick()",
    active: true,
    username: "postgres",
  },
];

describe("the schedule", () => {
  test("has each job once", async () => {
    const sql = await sqlForTest();
    expect(await sql.person(JOBS)).toEqual(EXPECTED);
  });

  test("still has each job once after scheduling twice more", async () => {
    const sql = await sqlForTest();
    expect(SCHEDULING).toMatch(/^do \$\$[\s\S]*cron\.schedule\([\s\S]*end\n\$\$;\s*$/);
    await sql.person(SCHEDULING);
    await sql.person(SCHEDULING);
    expect(await sql.person(JOBS)).toEqual(EXPECTED);
  });

  test.each([
    ["1.4-1", "* * * * *"],
    ["1.4", "* * * * *"],
    ["1.5", "10 seconds"],
    ["1.6.4", "10 seconds"],
    ["1.10", "10 seconds"],
  ])("with pg_cron %s the tick is %s", async (version, schedule) => {
    const sql = await sqlForTest();
    const jobs = await sql.undone(async (run) => {
      await run("update pg_extension set extversion = $1 where extname = 'pg_cron'", [version]);
      await run("set local role postgres");
      await run(SCHEDULING);
      return await run(
        "select schedule from cron.job where jobname = 'clockwork-tick' and username = 'postgres'",
      );
    }, true);
    expect(jobs).toEqual([{ schedule }]);
  });
});

async function putSecrets(sql: Sql, url: string | null, secret: string | null): Promise<void> {
  for (
    const [name, value] of [["clockwork_functions_url", url], ["clockwork_cron_secret", secret]] as const
  ) {
    if (value !== null) await sql.person("select vault.create_secret($1, $2)", [value, name]);
  }
}

const QUEUE =
  "select method, url, headers, convert_from(body, 'utf8') as body, timeout_milliseconds from net.http_request_queue";
const CALL = {
  method: "POST",
  url: "http://functions.test/functions/v1/drain",
  headers: { "Content-Type": "application/json", Authorization: "Bearer the-cron-secret" },
  body: "{}",
  timeout_milliseconds: 5000,
};

async function ready(): Promise<Sql> {
  const sql = await sqlForTest();
  await putSecrets(sql, "http://functions.test/functions/v1", "the-cron-secret");
  return sql;
}

describe("clockwork.tick()", () => {
  test("calls nobody while there is nothing to do", async () => {
    const sql = await ready();
    expect(await one(sql.person, "select clockwork.tick() as request")).toEqual({ request: null });
    expect(await sql.person(QUEUE)).toEqual([]);
  });

  test("calls the drain with its secret when a task is due", async () => {
    const sql = await ready();
    await taskIn(sql.person, "PENDING");
    const { request } = await one(sql.person, "select clockwork.tick() as request");
    expect(request).not.toBeNull();
    expect(await sql.person(QUEUE)).toEqual([CALL]);
  });

  test("calls the drain while a task is QUEUED, for pg-boss may have it due again", async () => {
    const sql = await ready();
    await taskIn(sql.person, "QUEUED");
    await sql.person("select clockwork.tick()");
    expect(await sql.person(QUEUE)).toEqual([CALL]);
  });

  test("waits for a task's moment by Clockwork's clock", async () => {
    const sql = await ready();
    await taskIn(sql.person, "PENDING", { run_after: "clockwork.now() + interval '1 hour'" });
    await sql.person("select clockwork.tick()");
    expect(await sql.person(QUEUE)).toEqual([]);
    await sql.person("update clockwork.settings set clock_offset = interval '61 minutes'");
    await sql.person("select clockwork.tick()");
    expect(await sql.person(QUEUE)).toEqual([CALL]);
  });

  test.each(["DONE", "MANUAL_INTERVENTION", "PARKED", "CANCELLED"] as const)(
    "a task that is %s is nothing to do",
    async (status) => {
      const sql = await ready();
      await taskIn(sql.person, status);
      await sql.person("select clockwork.tick()");
      expect(await sql.person(QUEUE)).toEqual([]);
    },
  );

  test("calls nobody in maintenance, and goes on after it", async () => {
    const sql = await ready();
    await taskIn(sql.person, "PENDING");
    await taskIn(sql.person, "QUEUED");
    await sql.person("update clockwork.settings set maintenance = true");
    expect(await one(sql.person, "select clockwork.tick() as request")).toEqual({ request: null });
    expect(await sql.person(QUEUE)).toEqual([]);
    await sql.person("update clockwork.settings set maintenance = false");
    await sql.person("select clockwork.tick()");
    expect(await sql.person(QUEUE)).toHaveLength(1);
  });

  test("two ticks are two calls: the drain sorts them out", async () => {
    const sql = await ready();
    await taskIn(sql.person, "PENDING");
    await sql.person("select clockwork.tick(); select clockwork.tick()");
    expect(await sql.person(QUEUE)).toHaveLength(2);
  });
});

describe("Vault", () => {
  const URL_MISSING = "Vault has no secret clockwork_functions_url, so drain was not called.";
  const SECRET_MISSING = "Vault has no secret clockwork_cron_secret, so drain was not called.";

  test.each([
    ["no URL", null, "secret", URL_MISSING],
    ["an empty URL", "", "secret", URL_MISSING],
    ["no secret", "http://functions.test", null, SECRET_MISSING],
    ["an empty secret", "http://functions.test", "", SECRET_MISSING],
    ["neither", null, null, URL_MISSING],
  ])("with %s the tick raises and nothing is sent", async (_, url, secret, message) => {
    const sql = await sqlForTest();
    await putSecrets(sql, url, secret);
    await taskIn(sql.person, "PENDING");
    await expect(sql.person("select clockwork.tick()")).rejects.toMatchObject({ code: "P0001", message });
    await expect(sql.person("select clockwork.call_function('drain')")).rejects.toThrow(message);
    expect(await sql.person(QUEUE)).toEqual([]);
  });

  test("a change of the secret holds from the next call on", async () => {
    const sql = await ready();
    await sql.person(
      "select vault.update_secret(id, 'the-next-secret') from vault.secrets where name = 'clockwork_cron_secret'",
    );
    await sql.person("select clockwork.call_function('drain')");
    expect(await sql.person("select headers ->> 'Authorization' as sent from net.http_request_queue"))
      .toEqual([
        { sent: "Bearer the-next-secret" },
      ]);
  });
});

describe("clockwork.clean_cron_log()", () => {
  test("keeps a week, and what still runs", async () => {
    const sql = await sqlForTest();
    await sql.person(
      `insert into cron.job_run_details (runid, command, username, status, start_time, end_time) values
         (1, 'old', current_user, 'succeeded', now() - interval '9 days', now() - interval '8 days'),
         (2, 'just old enough', current_user, 'failed', now() - interval '7 days 2 seconds', now() - interval '7 days 1 second'),
         (3, 'within the week', current_user, 'succeeded', now() - interval '8 days', now() - interval '6 days 23 hours'),
         (4, 'now', current_user, 'succeeded', now(), now()),
         (5, 'running', current_user, 'running', now() - interval '1 minute', null)`,
    );
    expect(await one(sql.person, "select clockwork.clean_cron_log() as gone")).toEqual({ gone: "2" });
    expect(await sql.person("select command from cron.job_run_details order by runid")).toEqual([
      { command: "within the week" },
      { command: "now" },
      { command: "running" },
    ]);
    expect(await one(sql.person, "select clockwork.clean_cron_log() as gone")).toEqual({ gone: "0" });
  });

  test("forgets a run that a crash of the server cut off, which never gets an end", async () => {
    const sql = await sqlForTest();
    await sql.person(
      `insert into cron.job_run_details (runid, command, username, status, return_message, start_time)
       values (1, 'cut off', current_user, 'failed', 'server restarted', now() - interval '8 days')`,
    );
    expect(await one(sql.person, "select clockwork.clean_cron_log() as gone")).toEqual({ gone: "1" });
  });
});
