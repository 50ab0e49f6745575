import type pg from "pg";
import { withClient } from "../stack/client.ts";
import { OBJECTS } from "./catalog.ts";

/** Kept by others: the Data API's schema, and the CLI's list of the migrations that it pushed. */
const NOT_OURS = ["public", "supabase_migrations"];
const HEADER =
  `-- Written by \`npm run generate\` from the migrations: what they make together, to read and to compare.
-- Never edited by hand, never run. pg-boss's own schema is left out: its version says what it is.
`;
const ROWS = "-- The rows that the migrations put in.\n";

/** @param url of a database with all migrations, as role `postgres` */
export async function schemaFile(url: string): Promise<string> {
  return [HEADER, await dumpSchema(url, ["pgboss"]), ROWS, await dumpRows(url, ["pgboss"])].join("\n");
}

/**
 * The schemas of a database as text: objects, comments, grants and cron jobs, sorted by name. Equal schemas give equal
 * texts. Throws at a kind of object that the dump does not know. Rows are not part of it.
 * @param url as role `postgres`, the owner of our schemas
 * @param without schemas to leave out
 */
export async function dumpSchema(url: string, without: readonly string[] = []): Promise<string> {
  return await readAlone(url, async (client) => {
    const parts = [await lines(client, EXTENSIONS), await lines(client, DEFAULT_PRIVILEGES)];
    for (const name of await schemas(client, without)) parts.push(await oneSchema(client, name));
    const { rowCount } = await client.query("select from pg_extension where extname = 'pg_cron'");
    if (rowCount) parts.push(await lines(client, CRON_JOBS));
    return parts.filter((part) => part !== "").join("\n\n") + "\n";
  });
}

/** All rows of those schemas, one a line, sorted. Moments and secrets that a database draws for itself are masked. */
export async function dumpRows(url: string, without: readonly string[] = []): Promise<string> {
  return await readAlone(url, async (client) => {
    const { rows: tables } = await client.query<{ called: string }>(
      `select oid::regclass::text as called from pg_class
       where relkind = 'r' and relnamespace = any ($1::text[]::regnamespace[]) order by called`,
      [await schemas(client, without)],
    );
    const parts = [];
    for (const { called } of tables) {
      const rows = await lines(
        client,
        `select '-- ' || line as line from (
           select regexp_replace(regexp_replace(row_to_json(one)::text, '"\\d{4}-\\d\\d-\\d\\dT[^"]*"', '"<moment>"', 'g'),
             '"[0-9a-f]{64}"', '"<drawn>"', 'g') as line
           from ${called} as one) as rows order by rows.line collate "C"`,
      );
      if (rows !== "") parts.push(`-- rows of ${called}\n${rows}`);
    }
    return parts.join("\n\n") + "\n";
  });
}

/** Runs `work` in one snapshot. The search path is empty, so every name is written in full. */
async function readAlone(url: string, work: (client: pg.Client) => Promise<string>): Promise<string> {
  return await withClient(url, async (client) => {
    await client.query(
      "begin isolation level repeatable read read only; set local search_path = ''; set local timezone = 'UTC'",
    );
    return await work(client);
  });
}

async function lines(client: pg.Client, query: string): Promise<string> {
  const { rows } = await client.query<{ line: string }>(query);
  return rows.map(({ line }) => line).join("\n");
}

async function schemas(client: pg.Client, without: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_namespace
     where nspowner = current_user::regrole and nspname <> all ($1)
     order by nspname`,
    [[...NOT_OURS, ...without]],
  );
  return rows.map(({ name }) => name);
}

/** Without versions: those are the server's. */
const EXTENSIONS = `
  select format('create extension %I with schema %I;', extname, extnamespace::regnamespace) as line
  from pg_extension where extname <> 'plpgsql' order by extname`;

const DEFAULT_PRIVILEGES = `
  select format('-- default privileges of %s%s on %s: %s', defaclrole::regrole,
    case defaclnamespace when 0 then '' else ' in schema ' || defaclnamespace::regnamespace end,
    case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
      when 'T' then 'types' else 'schemas' end,
    (select coalesce(string_agg(entry::text, ', ' order by entry::text), 'nobody') from unnest(defaclacl) as entry)) as line
  from pg_default_acl
  where defaclrole = current_user::regrole and defaclnamespace <> 'public'::regnamespace
  order by line`;

const CRON_JOBS = `
  select format('select cron.schedule(%L, %L, %L);%s', jobname, schedule, command,
    case when active then '' else ' -- switched off' end) as line
  from cron.job order by jobname, schedule, command`;

async function oneSchema(client: pg.Client, schema: string): Promise<string> {
  const parts = [`-- ${schema} ${"-".repeat(Math.max(4, 90 - schema.length))}`];
  for (const query of OBJECTS) {
    const { rows } = await client.query<{ called: string; statement: string | null }>(query, [schema]);
    for (const { called, statement } of rows) {
      if (statement === null) {
        throw new Error(
          `The schema dump does not know the kind of ${called}: teach scripts/generate/catalog.ts`,
        );
      }
      parts.push(statement);
    }
  }
  return parts.filter((part) => part !== "").join("\n\n");
}
