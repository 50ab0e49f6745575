import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { pushMigrations } from "../../scripts/stack/migrate.ts";
import { dumpSchema } from "../../scripts/schema/dump.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { Row } from "./support.ts";
import {
  applyMigration,
  CLI_TABLE,
  fillNewTables,
  MIGRATIONS,
  readTables,
  type Table,
  withClient,
  WORKDIR,
} from "./upgrade.ts";

// A hosted project may be at any version when it is brought up to date, and it is full of data. So: one database
// lives through all versions and is copied at each; each copy is then pushed to the newest by the real CLI.

const cluster = inject("cluster");
const NAME = `upgrade_${crypto.randomUUID().slice(0, 8)}`;
const atVersion = (index: number) => `${NAME}_${index}`;
/** Every version but the newest: `[how many migrations, the last of them]`. */
const VERSIONS = MIGRATIONS.slice(0, -1).map((file, index) => [index + 1, file] as const);
/** A push takes the CLI about a second. Versions older than these are brought forward in plain SQL, which takes 0.1 s. */
const PUSHED_BY_CLI = 5;

let admin: pg.Client;
let fresh: TestDatabase;
let freshSchema: string;
let freshTables: ReadonlyMap<string, Table>;

beforeAll(async () => {
  admin = new pg.Client({ connectionString: `${cluster.superuserUrl}template1` });
  await admin.connect();
  fresh = await createTestDatabase();
  freshSchema = await dumpSchema(fresh.url);
  freshTables = await withClient(fresh.url, readTables);

  await admin.query(`create database ${NAME} owner postgres strategy file_copy`);
  const filled = new Set<string>();
  await withClient(cluster.url + NAME, (client) => client.query(CLI_TABLE));
  for (const [index, file] of VERSIONS) {
    await withClient(cluster.url + NAME, async (client) => {
      await applyMigration(client, file);
      await fillNewTables(client, filled);
    });
    await admin.query(
      `create database ${atVersion(index)} template ${NAME} owner postgres strategy file_copy`,
    );
  }
});

afterAll(async () => {
  for (const name of [NAME, ...VERSIONS.map(([index]) => atVersion(index))]) {
    await admin.query(`drop database if exists ${name} with (force)`);
  }
  await admin.end();
  await fresh.drop();
});

describe("a database full of data, brought up to date", () => {
  test.each(VERSIONS)("from version %i, %s", async (index) => {
    const url = cluster.url + atVersion(index);
    const before = await withClient(url, readTables);
    if (index === 1 || index >= MIGRATIONS.length - PUSHED_BY_CLI) {
      await pushMigrations({ url, workdir: WORKDIR });
    } else {
      for (const file of MIGRATIONS.slice(index)) {
        await withClient(url, (client) => applyMigration(client, file));
      }
    }

    expect(await dumpSchema(url)).toBe(freshSchema);
    const after = await withClient(url, readTables);
    expect(lost(before, after)).toEqual([]);
    expect(missing(after)).toEqual([]);
  });
});

test("every table has rows here: none is forgotten when it is added", async () => {
  const tables = await withClient(fresh.url, async (client) => {
    await fillNewTables(client, new Set());
    return await readTables(client);
  });
  const empty = [...tables].filter(([name, rows]) => rows.size === 0 && !name.startsWith("pgboss."));
  expect(empty.map(([name]) => name), "put rows of it into test/sql/representative-rows.ts").toEqual([]);
});

test("the comparison sees a row that is gone and a row that changed", async () => {
  await withClient(fresh.url, async (client) => {
    await client.query("begin; insert into registry.customers (email) values ('eve@example.com')");
    const before = await readTables(client);
    await client.query(
      "update registry.customers set email = 'mallory@example.com' where email = 'eve@example.com'",
    );
    expect(lost(before, await readTables(client))).toHaveLength(1);
    await client.query("delete from registry.customers where email = 'mallory@example.com'");
    expect(lost(before, await readTables(client))).toHaveLength(1);
    await client.query("alter table clockwork.task_moves disable trigger user");
    await client.query("delete from clockwork.task_moves where from_status = 'PENDING'");
    expect(missing(await readTables(client))).toHaveLength(2);
    await client.query("rollback");
  });
});

/** What was there and is not, or says something else. A catalogue's row may have been reworded by a migration. */
function lost(before: ReadonlyMap<string, Table>, after: ReadonlyMap<string, Table>): string[] {
  return [...before].flatMap(([table, rows]) =>
    [...rows].filter(([key, row]) => {
      const now = after.get(table)?.get(key);
      const inFresh = freshTables.get(table)?.get(key);
      return !(now && (keeps(now, row) || (inFresh && keeps(now, inFresh))));
    }).map(([key]) => `${table} ${key}`)
  );
}

/** What the migrations put in, in a database without data, and is not here. */
function missing(after: ReadonlyMap<string, Table>): string[] {
  return [...freshTables].flatMap(([table, rows]) =>
    [...rows].filter(([key, row]) => {
      const here = after.get(table)?.get(key);
      return !(here && keeps(here, row, (value) => isMoment(value) || isDrawn(value)));
    }).map(([key]) => `${table} ${key}`)
  );
}

/** Whether a row still says all that it said; a migration may have added columns. */
function keeps(now: Row, was: Row, mayDiffer: (value: unknown) => boolean = () => false): boolean {
  return Object.entries(was).every(([column, value]) =>
    mayDiffer(value) || (column in now && JSON.stringify(now[column]) === JSON.stringify(value))
  );
}

/** A secret that each database draws for itself: 64 digits, all in hexadecimal. */
function isDrawn(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isMoment(value: unknown): boolean {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value);
}
