import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { dumpSchema } from "../../scripts/generate/dump.ts";
import { withClient } from "../../scripts/stack/client.ts";
import { copyStatement } from "../../scripts/stack/cluster.ts";
import { pushMigrations } from "../../scripts/stack/migrate.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { Row } from "./support.ts";
import {
  applyMigration,
  BASE,
  CLI_TABLE,
  fillNewTables,
  MIGRATIONS,
  readTables,
  type Table,
  WORKDIR,
} from "./upgrade.ts";

// A hosted project may be at any version from the base on when it is brought up to date, and it is full of data. So: one
// database lives through all files, with rows put in after each; it is copied at each version, and each copy is pushed
// to the newest by the real CLI.

const cluster = inject("cluster");
const NAME = `upgrade_${crypto.randomUUID().slice(0, 8)}`;
const atVersion = (file: string) => `${NAME}_${MIGRATIONS.indexOf(file)}`;
/** From the newest nothing is left to push, and nothing may change. */
const VERSIONS = MIGRATIONS.slice(MIGRATIONS.indexOf(BASE));

let admin: pg.Client;
let fresh: TestDatabase;
let freshSchema: string;
let freshTables: ReadonlyMap<string, Table>;
/** All rows right after each file, and after it was given rows of its own. */
const tablesAt = new Map<string, ReadonlyMap<string, Table>>();
/** All rows of the database that lived through all files. */
let grown: ReadonlyMap<string, Table>;

beforeAll(async () => {
  admin = new pg.Client({ connectionString: `${cluster.superuserUrl}template1` });
  await admin.connect();
  fresh = await createTestDatabase();
  freshSchema = await dumpSchema(fresh.url);
  freshTables = await withClient(fresh.url, readTables);

  await admin.query(`create database ${NAME} owner postgres strategy file_copy`);
  const filled = new Set<string>();
  await withClient(cluster.url + NAME, (client) => client.query(CLI_TABLE));
  for (const file of MIGRATIONS) {
    await withClient(cluster.url + NAME, async (client) => {
      await applyMigration(client, file);
      await fillNewTables(client, filled);
      tablesAt.set(file, await readTables(client));
    });
    if (!VERSIONS.includes(file)) continue;
    await admin.query(copyStatement(NAME, atVersion(file)));
  }
  grown = await withClient(cluster.url + NAME, readTables);
});

afterAll(async () => {
  for (const name of [NAME, ...VERSIONS.map(atVersion)]) {
    await admin.query(`drop database if exists ${name} with (force)`);
  }
  await admin.end();
  await fresh.drop();
});

describe("a database full of data, brought up to date", () => {
  test.each(VERSIONS)("from version %s", async (file) => {
    const url = cluster.url + atVersion(file);
    await pushMigrations({ url, workdir: WORKDIR });

    expect(await dumpSchema(url)).toBe(freshSchema);
    const after = await withClient(url, readTables);
    expect(lost(rowsAt(file), after)).toEqual([]);
    expect(missing(after)).toEqual([]);
  });
});

describe("file by file, with rows put in after each", () => {
  test("it ends as if all had been applied to an empty one", async () => {
    expect(await dumpSchema(cluster.url + NAME)).toBe(freshSchema);
    expect(missing(grown)).toEqual([]);
  });

  test.each(MIGRATIONS)("it keeps what it had after %s", (file) => {
    expect(lost(rowsAt(file), grown)).toEqual([]);
  });
});

function rowsAt(file: string): ReadonlyMap<string, Table> {
  const tables = tablesAt.get(file);
  if (!tables) throw new Error(`There is no migration ${file}`);
  return tables;
}

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
