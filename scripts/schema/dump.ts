import type pg from "pg";
import { withClient } from "../stack/client.ts";
import { type Catalog, readSchema } from "./catalog.ts";

/** Kept by others: the Data API's, the CLI's own list of what it pushed. */
const NOT_OURS = ["public", "supabase_migrations"];

/**
 * A database's schemas as text that is the same whenever they are: what the migrations made, with comments, grants and
 * cron jobs, sorted by name. Rows are not part of it: see `dumpRows`.
 * @param url as role `postgres`, whose schemas are ours
 * @param without schemas to leave out
 */
export async function dumpSchema(url: string, without: readonly string[] = []): Promise<string> {
  return await readAlone(url, async (client) => {
    const parts = [await extensions(client), await defaultPrivileges(client)];
    for (const name of await schemas(client, without)) parts.push(await oneSchema(client, name));
    parts.push(await cronJobs(client));
    return parts.filter((part) => part !== "").join("\n\n") + "\n";
  });
}

/** All rows of those schemas, one a line, sorted. Moments, and secrets that a database draws for itself, are masked. */
export async function dumpRows(url: string, without: readonly string[] = []): Promise<string> {
  return await readAlone(url, async (client) => {
    const { rows: tables } = await client.query<{ called: string }>(
      `select oid::regclass::text as called from pg_class
       where relkind = 'r' and relnamespace = any ($1::text[]::regnamespace[]) order by called`,
      [await schemas(client, without)],
    );
    const parts = [];
    for (const { called } of tables) {
      const { rows } = await client.query<{ line: string }>(
        `select line from (select regexp_replace(regexp_replace(row_to_json(one)::text, '"\\d{4}-\\d\\d-\\d\\dT[^"]*"', '"<moment>"', 'g'),
           '"[0-9a-f]{64}"', '"<drawn>"', 'g') as line
         from ${called} as one) as rows order by line collate "C"`,
      );
      if (rows.length > 0) {
        parts.push([`-- rows of ${called}`, ...rows.map(({ line }) => `-- ${line}`)].join("\n"));
      }
    }
    return parts.join("\n\n") + "\n";
  });
}

/** One view of the database for all of `work`. Nothing is found by the search path, so every name is written in full. */
async function readAlone(url: string, work: (client: pg.Client) => Promise<string>): Promise<string> {
  return await withClient(url, async (client) => {
    await client.query(
      "begin isolation level repeatable read read only; set local search_path = ''; set local timezone = 'UTC'",
    );
    return await work(client);
  });
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
async function extensions(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ line: string }>(
    `select format('create extension %I with schema %I;', extname, extnamespace::regnamespace) as line
     from pg_extension where extname <> 'plpgsql' order by extname`,
  );
  return rows.map(({ line }) => line).join("\n");
}

async function defaultPrivileges(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ line: string }>(
    `select format('-- default privileges of %s%s on %s: %s', defaclrole::regrole,
       case defaclnamespace when 0 then '' else ' in schema ' || defaclnamespace::regnamespace end,
       case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
         when 'T' then 'types' else 'schemas' end,
       (select coalesce(string_agg(entry::text, ', ' order by entry::text), 'nobody') from unnest(defaclacl) as entry)) as line
     from pg_default_acl
     where defaclrole = current_user::regrole and defaclnamespace <> all ($1::text[]::regnamespace[])
     order by line`,
    [NOT_OURS.filter((name) => name === "public")],
  );
  return rows.map(({ line }) => line).join("\n");
}

async function cronJobs(client: pg.Client): Promise<string> {
  const there = await client.query("select from pg_extension where extname = 'pg_cron'");
  if (there.rows.length === 0) return "";
  const { rows } = await client.query<{ line: string }>(
    `select format('select cron.schedule(%L, %L, %L);%s', jobname, schedule, command,
       case when active then '' else ' -- switched off' end) as line
     from cron.job order by jobname, schedule, command`,
  );
  return rows.map(({ line }) => line).join("\n");
}

async function oneSchema(client: pg.Client, schema: string): Promise<string> {
  const catalog = await readSchema(client, schema);
  const { rows: [described] } = await client.query<{ comment: string | null }>(
    "select obj_description($1::regnamespace, 'pg_namespace') as comment",
    [schema],
  );
  const blocks = [
    [`create schema ${schema};`, ...comment(`schema ${schema}`, described?.comment ?? null)],
    ...catalog.types.map(typeBlock),
    ...catalog.relations.map((relation) => relationBlock(relation, catalog)),
    ...catalog.functions.map(functionBlock),
    catalog.grants.map(({ what, privileges, grantee }) => `grant ${privileges} on ${what} to ${grantee};`),
  ];
  const rule = "-".repeat(Math.max(4, 90 - schema.length));
  return [
    `-- ${schema} ${rule}`,
    ...blocks.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")),
  ]
    .join("\n\n");
}

function typeBlock(type: Catalog["types"][number]): string[] {
  if (type.kind !== "e") throw unknownKind(`type ${type.called}`, type.kind);
  return [
    `create type ${type.called} as enum (${type.labels ?? ""});`,
    ...comment(`type ${type.called}`, type.comment),
  ];
}

function functionBlock(one: Catalog["functions"][number]): string[] {
  const kind = one.kind === "p" ? "procedure" : "function";
  if (one.definition === null) throw unknownKind(`function ${one.called}`, one.kind);
  return [`${one.definition.trimEnd()};`, ...comment(`${kind} ${one.called}`, one.comment)];
}

function relationBlock(relation: Catalog["relations"][number], catalog: Catalog): string[] {
  const { called, oid } = relation;
  const columns = catalog.columns.filter((column) => column.relation === oid);
  const hanging = catalog.hanging.filter((one) => one.relation === oid).map((one) => `${one.definition};`);
  const told = (kind: string) => [
    ...comment(`${kind} ${called}`, relation.comment),
    ...columns.flatMap((column) => comment(`column ${called}.${column.name}`, column.comment)),
  ];
  const options = relation.options ? ` with (${relation.options})` : "";
  switch (relation.kind) {
    case "S":
      return [`create sequence ${called};`, ...comment(`sequence ${called}`, relation.comment)];
    case "v":
    case "m": {
      const kind = relation.kind === "v" ? "view" : "materialized view";
      // The columns' types are the only thing about a view that its text does not say.
      const types = columns.map((column) => `${column.name} ${column.type}`).join(", ");
      return [
        `create ${kind} ${called}${options} as -- ${types}`,
        relation.definition?.trimEnd() ?? "",
        ...hanging,
        ...told(kind),
      ];
    }
    case "r":
    case "p": {
      const inside = [
        ...columns.map(columnLine),
        ...catalog.constraints.filter((one) => one.relation === oid)
          .map((one) => `constraint ${one.name} ${one.definition}`),
      ];
      const after = [
        relation.partition_of ? ` partition of ${relation.partition_of}` : "",
        relation.partitioned_by ? ` partition by ${relation.partitioned_by}` : "",
        options,
      ].join("");
      return [
        `create ${relation.unlogged ? "unlogged " : ""}table ${called} (`,
        inside.map((line) => `  ${line}`).join(",\n"),
        `)${after};`,
        ...(relation.rls ? [`alter table ${called} enable row level security;`] : []),
        ...(relation.forced_rls ? [`alter table ${called} force row level security;`] : []),
        ...hanging,
        ...told("table"),
      ];
    }
    default:
      throw unknownKind(called, relation.kind);
  }
}

function columnLine(column: Catalog["columns"][number]): string {
  const { name, type, not_null, identity, generated, expression } = column;
  return [
    name,
    type,
    ...(not_null ? ["not null"] : []),
    ...(identity === "" ? [] : [`generated ${identity === "a" ? "always" : "by default"} as identity`]),
    ...(expression === null
      ? []
      : [generated === "" ? `default ${expression}` : `generated always as (${expression}) stored`]),
  ].join(" ");
}

function comment(what: string, text: string | null): string[] {
  return text === null ? [] : [`comment on ${what} is '${text.replaceAll("'", "''")}';`];
}

function unknownKind(what: string, kind: string): Error {
  return new Error(
    `The schema dump does not know the kind '${kind}' of ${what} yet: teach scripts/schema/dump.ts`,
  );
}
