import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { REPRESENTATIVE_ROWS } from "./representative-rows.ts";
import type { Row } from "./support.ts";

/** The folder that holds the migrations the run's template was made from (test/support/global-setup.ts). */
export const WORKDIR = process.env["CLOCKWORK_MIGRATIONS_WORKDIR"] ??
  fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = join(WORKDIR, "supabase/migrations");

/** Every migration, in the order in which they are applied. */
export const MIGRATIONS: readonly string[] = readdirSync(FOLDER).filter((name) => name.endsWith(".sql"))
  .toSorted();

/**
 * The last file of the landed set: no project is at a version before it. Files up to it are written anew together while
 * no version is tagged v1 (docs/decisions.md); a file after it is never edited.
 */
export const BASE = "20261127101900_schedule_cron.sql";

/** The table in which the CLI keeps what it pushed. */
export const CLI_TABLE = `create schema supabase_migrations;
  create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)`;

/** Applies one migration in a transaction and notes it as the CLI does; a push after it leaves it alone. */
export async function applyMigration(client: pg.Client, file: string): Promise<void> {
  const [, version, name] = /^(\d+)_(.*)\.sql$/.exec(file) ?? [];
  const sql = readFileSync(join(FOLDER, file), "utf8");
  await client.query("begin");
  await client.query(sql);
  await client.query(
    "insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)",
    [
      version,
      name,
      [sql],
    ],
  );
  await client.query("commit");
}

/** Puts rows into the tables that are there and were not `filled` before; adds them to it. */
export async function fillNewTables(client: pg.Client, filled: Set<string>): Promise<void> {
  for (const { table, sql } of REPRESENTATIVE_ROWS) {
    if (filled.has(table)) continue;
    const { rows: [found] } = await client.query("select to_regclass($1) is not null as there", [table]);
    if (!found?.there) continue;
    await client.query(`begin; ${sql}; commit`);
    filled.add(table);
  }
}

/** A row of a table by its primary key. */
export type Table = ReadonlyMap<string, Row>;

/**
 * The rows of all tables of ours, pg-boss's included. Generated columns and moments are text, as Postgres writes them.
 * @returns by the table's name, in an order of names
 */
export async function readTables(client: pg.Client): Promise<ReadonlyMap<string, Table>> {
  const { rows: tables } = await client.query<{ name: string; key: string[] }>(
    `select format('%I.%I', pg_namespace.nspname, pg_class.relname) as name,
       coalesce((select array_agg(pg_attribute.attname::text order by pg_attribute.attname)
         from pg_index join pg_attribute on pg_attribute.attrelid = pg_class.oid and pg_attribute.attnum = any (pg_index.indkey)
         where pg_index.indrelid = pg_class.oid and pg_index.indisprimary), '{}') as key
     from pg_class join pg_namespace on pg_namespace.oid = pg_class.relnamespace
     where pg_namespace.nspowner = current_user::regrole and pg_namespace.nspname not in ('public', 'supabase_migrations')
       and pg_class.relkind = 'r'
     order by name`,
  );
  const all = new Map<string, Table>();
  for (const { name, key } of tables) {
    const { rows } = await client.query<{ row: Row }>(`select to_jsonb(one) as row from ${name} as one`);
    all.set(
      name,
      new Map(
        rows.map(({ row }) => [JSON.stringify(key.length > 0 ? key.map((column) => row[column]) : row), row]),
      ),
    );
  }
  return all;
}
