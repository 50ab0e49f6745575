import type { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { prepareCluster } from "../../scripts/stack/cluster.ts";
import { type Cron, makeCron } from "../../scripts/stack/cron.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/stack/postgres.ts";
import { nextDue } from "../../scripts/stack/schedule.ts";
import { toughPool } from "../../scripts/stack/client.ts";

let server: LocalPostgres;
let pool: Pool;
let cron: Cron;
let time: Date;

beforeAll(async () => {
  server = await startPostgres();
  pool = toughPool((await prepareCluster(server)).url("postgres"));
  await pool.query("create extension pg_cron; create table ran (what text)");
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});
beforeEach(async () => {
  await pool.query("select cron.unschedule(jobid) from cron.job");
  await pool.query("delete from cron.job_run_details; truncate ran");
  time = new Date("2026-03-01T00:00:30Z");
  cron = makeCron({ pool, now: () => time });
});

async function details(): Promise<unknown[]> {
  const { rows } = await pool.query("select status, return_message from cron.job_run_details order by runid");
  return rows.map((row) => [row.status, row.return_message]);
}

async function lookAt(iso: string): Promise<number> {
  time = new Date(iso);
  return await cron.runDue();
}

describe("runDue", () => {
  test("runs a job when its time has come, not before, and not twice", async () => {
    await pool.query(`select cron.schedule('nightly', '0 3 * * *', $$insert into ran values ('nightly')$$)`);
    expect(await cron.runDue()).toBe(0);
    expect(await lookAt("2026-03-01T02:59:59Z")).toBe(0);
    expect(await lookAt("2026-03-01T03:00:00Z")).toBe(1);
    expect(await lookAt("2026-03-01T03:00:20Z")).toBe(0);
    expect((await pool.query("select * from ran")).rows).toHaveLength(1);
    expect(await details()).toEqual([["succeeded", "INSERT 0 1"]]);
  });

  test("runs once when many times have gone by", async () => {
    await pool.query("select cron.schedule('tick', '10 seconds', 'select 1')");
    await cron.runDue();
    expect(await lookAt("2026-03-08T00:00:00Z")).toBe(1);
    expect(await lookAt("2026-03-08T00:00:09Z")).toBe(0);
    expect(await lookAt("2026-03-08T00:00:10Z")).toBe(1);
    expect(await details()).toEqual([["succeeded", "1 row"], ["succeeded", "1 row"]]);
  });

  test("keeps a failure, and the connection is fit for the next job", async () => {
    await pool.query(
      "select cron.schedule('bad', '* * * * *', 'begin; select 1 / 0'), cron.schedule('good', '* * * * *', 'select 1, 2')",
    );
    await cron.runDue();
    expect(await lookAt("2026-03-01T00:01:00Z")).toBe(2);
    expect((await details()).toSorted()).toEqual([["failed", "ERROR:  division by zero"], [
      "succeeded",
      "1 row",
    ]]);
    expect(
      (await pool.query("select from cron.job_run_details where end_time is null or job_pid is null")).rows,
    ).toEqual([]);
  });

  test("leaves an inactive job alone, and counts a changed schedule anew", async () => {
    await pool.query("select cron.schedule('tick', '* * * * *', 'select 1')");
    await cron.runDue();
    await pool.query("select cron.alter_job(jobid, active => false) from cron.job");
    expect(await lookAt("2026-03-01T00:05:00Z")).toBe(0);
    await pool.query("select cron.alter_job(jobid, schedule => '30 seconds', active => true) from cron.job");
    expect(await lookAt("2026-03-01T00:06:00Z")).toBe(0);
    expect(await lookAt("2026-03-01T00:06:30Z")).toBe(1);
  });

  test("does not start a job that still runs", async () => {
    await pool.query(
      "select cron.schedule('slow', '10 seconds', 'select pg_advisory_lock(1), pg_advisory_unlock(1)')",
    );
    await cron.runDue();
    const holder = await pool.connect();
    await holder.query("select pg_advisory_lock(1)");
    const slow = lookAt("2026-03-01T00:01:00Z");
    await expect.poll(async () => (await details()).length).toBe(1);
    expect(await lookAt("2026-03-01T00:02:00Z")).toBe(0);
    await holder.query("select pg_advisory_unlock(1)");
    holder.release();
    expect(await slow).toBe(1);
    expect(await lookAt("2026-03-01T00:02:01Z")).toBe(1);
  });

  test("survives a clock that is set back", async () => {
    await pool.query("select cron.schedule('tick', '* * * * *', 'select 1')");
    await cron.runDue();
    expect(await lookAt("2026-02-01T00:00:00Z")).toBe(0);
    expect(await lookAt("2026-02-01T00:01:00Z")).toBe(1);
  });
});

test("start looks by itself until stop", async () => {
  await pool.query("select cron.schedule('tick', '* * * * *', 'select 1')");
  cron.start();
  await expect.poll(async () => {
    time = new Date(time.getTime() + 60_000);
    return (await details()).length;
  }, { timeout: 10_000 }).toBeGreaterThan(1);
  await cron.stop();
  const before = (await details()).length;
  time = new Date(time.getTime() + 600_000);
  expect(await details()).toHaveLength(before);
});

test.each([
  ["0 3 * * *", "2026-03-01T03:00:00Z", "2026-03-02T03:00:00Z"],
  ["*/15 * * * *", "2026-03-01T03:01:00Z", "2026-03-01T03:15:00Z"],
  ["0 0 $ * *", "2026-02-10T00:00:00Z", "2026-02-28T00:00:00Z"],
  ["0 0 13 * fri", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"],
  ["45 seconds", "2026-03-01T00:00:30Z", "2026-03-01T00:01:15Z"],
])("%s after %s is due at %s", (schedule, after, due) => {
  expect(nextDue(schedule, new Date(after))).toEqual(new Date(due));
});
