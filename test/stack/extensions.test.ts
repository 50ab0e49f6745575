import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepareCluster } from "../../scripts/stack/cluster.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/stack/postgres.ts";
import { toughPool } from "../../scripts/stack/client.ts";

let server: LocalPostgres;
let pool: Pool;
let admin: Pool;

beforeAll(async () => {
  server = await startPostgres();
  pool = toughPool((await prepareCluster(server)).url("postgres"));
  admin = toughPool(server.superuserUrl("postgres"));
  await pool.query("create extension if not exists pg_cron");
  await pool.query("create extension if not exists pg_net with schema extensions");
  await pool.query("create extension if not exists supabase_vault with schema vault cascade");
});
afterAll(async () => {
  await pool.end();
  await admin.end();
  await server.stop();
});

async function rows(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  return (await pool.query(sql, values)).rows;
}

/** Runs one statement as another role, and undoes it. */
async function as(role: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = await admin.connect();
  try {
    await client.query(`begin; set local role ${role}`);
    return (await client.query(sql)).rows;
  } finally {
    await client.query("rollback");
    client.release();
  }
}

describe("roles", () => {
  test("postgres is no superuser but may make databases and roles", async () => {
    expect(
      await rows(
        "select rolsuper, rolcreatedb, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user",
      ),
    )
      .toEqual([{ rolsuper: false, rolcreatedb: true, rolcreaterole: true, rolbypassrls: true }]);
    await expect(pool.query("alter role postgres superuser")).rejects.toThrow(/permission denied/);
  });

  test("only postgres, authenticator and the auth admin log in", async () => {
    const found = await rows(
      "select rolname::text from pg_roles where rolcanlogin and not rolsuper order by 1",
    );
    expect(found.map((row) => row["rolname"])).toEqual(["authenticator", "postgres", "supabase_auth_admin"]);
  });

  test("a new table in public is open to the Data API's roles, as hosted; one elsewhere is not", async () => {
    await pool.query("create table public.open (n int); create schema room; create table room.shut (n int)");
    expect(await as("anon", "select * from public.open")).toEqual([]);
    await expect(as("anon", "select * from room.shut")).rejects.toThrow(/permission denied for schema room/);
    await expect(as("service_role", "select * from room.shut")).rejects.toThrow(
      /permission denied for schema room/,
    );
  });
});

describe("pg_cron", () => {
  test("schedule is an upsert by name, and keeps a job switched off", async () => {
    const [first] = await rows("select cron.schedule('tick', '10 seconds', 'select 1') as id");
    await pool.query("select cron.alter_job($1, active => false)", [first?.["id"]]);
    const [second] = await rows("select cron.schedule('tick', '* * * * *', 'select 2') as id");
    expect(second).toEqual(first);
    expect(await rows("select schedule, command, username, active from cron.job where jobname = 'tick'"))
      .toEqual([{ schedule: "* * * * *", command: "select 2", username: "postgres", active: false }]);
    expect(await rows("select cron.unschedule('tick') as gone")).toEqual([{ gone: true }]);
    await expect(pool.query("select cron.unschedule('tick')")).rejects.toThrow(
      /could not find valid entry for job 'tick'/,
    );
  });

  test("jobs without a name are each a job of their own", async () => {
    const [one] = await rows("select cron.schedule('0 1 * * *', 'select 1') as id");
    const [two] = await rows("select cron.schedule('0 1 * * *', 'select 1') as id");
    expect(one).not.toEqual(two);
    for (const job of [one, two]) await pool.query("select cron.unschedule($1::bigint)", [job?.["id"]]);
  });

  test.each([
    "* * * * *",
    "*/5 * * * *",
    "0 3 1-7,15 * mon-fri",
    "59 23 31 12 7",
    "0 0 $ * *",
    "1 second",
    "59 seconds",
    "0-30/10 * * * *",
    "5 4 * JAN,jul sun",
  ])("takes %s", async (schedule) => {
    await as("postgres", `select cron.schedule('try', '${schedule}', 'select 1')`);
  });

  test.each([
    "",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "*/0 * * * *",
    "5-1 * * * *",
    "5/15 * * * *",
    "1, * * * *",
    "foo * * * *",
    "* * * mon *",
    "60 seconds",
    "0 seconds",
    "1 minute",
    "1-2-3 * * * *",
  ])("refuses '%s'", async (schedule) => {
    await expect(as("postgres", `select cron.schedule('try', '${schedule}', 'select 1')`)).rejects.toThrow(
      /invalid schedule/,
    );
  });

  test("postgres may read jobs and change them through the functions only", async () => {
    await expect(pool.query("insert into cron.job (schedule, command) values ('* * * * *', 'x')")).rejects
      .toThrow(/permission denied/);
    await expect(pool.query("update cron.job set active = false")).rejects.toThrow(/permission denied/);
    await pool.query("delete from cron.job_run_details"); // its cleaning is the owner's business
  });

  test("other roles see nothing, and nobody acts for a role that he is not", async () => {
    await expect(as("anon", "select * from cron.job")).rejects.toThrow(/permission denied for schema cron/);
    await expect(as("service_role", "select cron.schedule('* * * * *', 'x')")).rejects.toThrow(
      /permission denied for schema cron/,
    );
    await expect(pool.query("select cron._put('supabase_admin', null, '* * * * *', 'x')")).rejects.toThrow(
      /permission denied to act/,
    );
  });
});

describe("pg_net", () => {
  test("http_post queues a request with its defaults", async () => {
    const [row] = await rows(`select net.http_post('http://x.test/a', '{"n": 1}') as id`);
    expect(
      await rows(
        "select method::text, url, headers, convert_from(body, 'utf8') as body, timeout_milliseconds from net.http_request_queue where id = $1",
        [row?.["id"]],
      ),
    )
      .toEqual([{
        method: "POST",
        url: "http://x.test/a",
        headers: { "Content-Type": "application/json" },
        body: '{"n": 1}',
        timeout_milliseconds: 5000,
      }]);
  });

  test("named arguments, own headers and parameters", async () => {
    const [row] = await rows(
      `select net.http_post(url := 'http://x.test/a?b=1', headers := '{"x-secret": "s"}',
      params := '{"q": "a b&ü"}', timeout_milliseconds := 1000) as id`,
    );
    expect(
      await rows("select url, headers, timeout_milliseconds from net.http_request_queue where id = $1", [
        row?.["id"],
      ]),
    )
      .toEqual([{
        url: "http://x.test/a?b=1&q=a%20b%26%C3%BC",
        headers: { "x-secret": "s", "Content-Type": "application/json" },
        timeout_milliseconds: 1000,
      }]);
  });

  test("http_get has no body; a POST that is not JSON is refused", async () => {
    const [row] = await rows("select net.http_get('http://x.test/') as id");
    expect(await rows("select method::text, body from net.http_request_queue where id = $1", [row?.["id"]]))
      .toEqual([{ method: "GET", body: null }]);
    await expect(
      pool.query(`select net.http_post('http://x.test/', headers := '{"content-type": "text/plain"}')`),
    ).rejects.toThrow(/must be "application\/json"/);
  });
});

describe("vault", () => {
  test("gives a secret back through the view only", async () => {
    const [row] = await rows("select vault.create_secret('first', 'key', 'why') as id");
    await pool.query(
      "select vault.update_secret($1, 'a secret that is longer than one line of base64 text can be, and then some more')",
      [row?.["id"]],
    );
    const [secret] = await rows(
      "select name, description, secret, decrypted_secret from vault.decrypted_secrets where name = 'key'",
    );
    expect(secret).toMatchObject({
      description: "why",
      decrypted_secret: expect.stringMatching(/^a secret that.*more$/),
    });
    expect(secret?.["secret"]).not.toMatch(/secret/);
    await expect(pool.query("select vault.create_secret('other', 'key')")).rejects.toThrow(/duplicate key/);
  });

  test("is closed to the Data API's users, and written through its functions", async () => {
    await expect(as("anon", "select * from vault.decrypted_secrets")).rejects.toThrow(/permission denied/);
    await expect(as("authenticated", "select vault.create_secret('x')")).rejects.toThrow(/permission denied/);
    await expect(pool.query("insert into vault.secrets (secret) values ('x')")).rejects.toThrow(
      /permission denied/,
    );
  });
});
