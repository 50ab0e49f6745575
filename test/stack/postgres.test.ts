import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { prepareCluster } from "../../scripts/stack/cluster.ts";
import { pushMigrations } from "../../scripts/stack/migrate.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/stack/postgres.ts";
import { sharedTemp } from "../../scripts/stack/postgres-files.ts";
import { createTestDatabase } from "../support/database.ts";
import { makeTemplate } from "../support/global-setup.ts";

let server: LocalPostgres;
const scratch = mkdtempSync(join(tmpdir(), "clockwork-test-"));

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true });
});

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // the server may be killed under it
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function project(name: string, migrations: Record<string, string>): string {
  const folder = join(scratch, name, "supabase/migrations");
  mkdirSync(folder, { recursive: true });
  for (const [file, sql] of Object.entries(migrations)) writeFileSync(join(folder, file), sql);
  return join(scratch, name);
}

describe("the server", () => {
  test("is a Postgres 17 that knows it is local", async () => {
    const [row] = await query(
      server.superuserUrl("template1"),
      `select current_setting('server_version') as version, current_setting('clockwork.local') as local,
        current_setting('TimeZone') as zone, current_setting('server_encoding') as encoding`,
    );
    expect(row).toMatchObject({
      version: expect.stringMatching(/^17\./),
      local: "on",
      zone: "UTC",
      encoding: "UTF8",
    });
  });

  test("refuses a wrong password", async () => {
    const url = server.superuserUrl("template1").replace(server.password, "guess");
    await expect(query(url, "select")).rejects.toThrow(/password authentication failed/);
  });

  test("keeps what was committed through a kill", async () => {
    const url = server.superuserUrl("template1");
    await query(url, "create table kept as select 7 as n");
    await server.kill9();
    await expect(query(url, "select")).rejects.toThrow();
    await server.restart();
    expect(await query(url, "select n from kept")).toEqual([{ n: 7 }]);
    await query(url, "drop table kept");
  });

  test("says what is wrong when it cannot start, and leaves nothing", async () => {
    const dataDir = join(sharedTemp(), `clockwork-test-${process.pid}`);
    const start = startPostgres({ dataDir, settings: { no_such_setting: "1" } });
    await expect(start).rejects.toThrow(/unrecognized configuration parameter "no_such_setting"/);
    rmSync(dataDir, { recursive: true });
  });

  test("starts again on a data folder that it was given, with the same password", async () => {
    const dataDir = join(sharedTemp(), `clockwork-test-${process.pid}`);
    const first = await startPostgres({ dataDir });
    const before = await prepareCluster(first);
    await query(before.url("postgres"), "create table kept as select 8 as n");
    await first.stop();
    const second = await startPostgres({ dataDir });
    const after = await prepareCluster(second);
    expect(await query(after.url("postgres"), "select n from kept")).toEqual([{ n: 8 }]);
    await second.stop();
    expect(existsSync(dataDir)).toBe(true);
    rmSync(dataDir, { recursive: true });
  });
});

describe("when the process that started it ends", () => {
  /** Starts a server in a Node process of its own. */
  async function elsewhere(): Promise<{ node: ChildProcess; log: string; url: string }> {
    const program = `
      import { startPostgres } from ${
      JSON.stringify(new URL("../../scripts/stack/postgres.ts", import.meta.url).href)
    };
      const server = await startPostgres();
      console.log(JSON.stringify({ log: server.logFile, url: server.superuserUrl("template1") }));
      setInterval(() => {}, 1000);`;
    const node = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await new Promise<string[]>((resolve) =>
      createInterface({ input: node.stdout }).once("line", (text) => resolve([text]))
    );
    return { node, ...JSON.parse(line ?? "") };
  }

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
    "by %s, no server and no file stays",
    async (signal) => {
      const { node, log, url } = await elsewhere();
      expect(await query(url, "select 1 as n")).toEqual([{ n: 1 }]);
      node.kill(signal);
      await vi.waitFor(() => expect(existsSync(dirname(log))).toBe(false), { timeout: 10_000 });
      await expect(query(url, "select")).rejects.toThrow(/ECONNREFUSED/);
    },
  );

  test("stop() ends the server and deletes its folder", async () => {
    const other = await startPostgres();
    expect(existsSync(other.logFile)).toBe(true);
    await other.stop();
    expect(existsSync(dirname(other.logFile))).toBe(false);
    await expect(query(other.superuserUrl("template1"), "select")).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe("databases for tests", () => {
  test("are copies of what the real CLI migrated, and do not see each other", async () => {
    const workdir = project("good", {
      "20250101000000_create_t.sql": "create table public.t (n int);",
      "20250101000001_fill_t.sql":
        "insert into public.t select 1; select pg_catalog.set_config('x.y', 'z', false);",
    });
    const cluster = await makeTemplate(server, workdir);
    const [one, two] = await Promise.all([createTestDatabase(cluster), createTestDatabase(cluster)]);
    await one.pool.query("update t set n = 2");
    expect((await one.pool.query("select n, current_user from t")).rows).toEqual([{
      n: 2,
      current_user: "postgres",
    }]);
    expect((await two.pool.query("select n from t")).rows).toEqual([{ n: 1 }]);
    expect((await two.pool.query("select version from supabase_migrations.schema_migrations")).rows)
      .toHaveLength(2);
    await Promise.all([one.drop(), two.drop()]);
    await expect(query(one.url, "select")).rejects.toThrow(/does not exist/);
  });

  test("are not made without migrations, or from a migration that fails", async () => {
    const { url } = await prepareCluster(server);
    await expect(pushMigrations({ url: url("postgres"), workdir: join(scratch, "none") })).rejects.toThrow(
      /There are no migrations/,
    );
    const workdir = project("bad", { "20250101000000_fail.sql": "create table t (n int); select 1 / 0;" });
    const push = pushMigrations({ url: url("postgres"), workdir });
    await expect(push).rejects.toThrow(/supabase db push failed[\s\S]*division by zero/);
    await expect(push).rejects.not.toThrow(server.password);
    await expect(query(url("postgres"), "select from t")).rejects.toThrow(/does not exist/);
  });
});
