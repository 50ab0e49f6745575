import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSql, type Row, type Sql } from "./support.ts";

const ROOMS = ["registry", "clockwork", "tracker", "ops"];
const SCHEMAS = [...ROOMS, "pgboss"];
/** The roles of the Data API. All three reach nothing: only `postgres` works here. */
const OUTSIDERS = ["anon", "authenticated", "service_role"];

let sql: Sql;
beforeAll(async () => void (sql = await openSql()));
afterAll(() => sql.drop());

/** Runs one statement as another role, and undoes it. */
async function as(role: string, statement: string): Promise<Row[]> {
  return await sql.undone(async (run) => {
    await run(`set local role ${role}`);
    return await run(statement);
  });
}

async function relations(): Promise<Row[]> {
  return await sql.person(
    `select pg_class.oid::regclass::text as name, pg_class.relkind, pg_class.relrowsecurity, nspname
     from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where nspname = any ($1) and relkind in ('r', 'p', 'v', 'm', 'S') order by 1`,
    [SCHEMAS],
  );
}

async function functions(): Promise<Row[]> {
  return await sql.person(
    `select pg_proc.oid::regprocedure::text as name, pg_proc.oid, proconfig, prosecdef, nspname
     from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
     where nspname = any ($1) order by 1`,
    [SCHEMAS],
  );
}

test("there is something to look at in each schema", async () => {
  const tables = await relations();
  expect(SCHEMAS.filter((schema) => !tables.some((row) => row["nspname"] === schema))).toEqual([]);
  expect((await functions()).length).toBeGreaterThan(8);
});

describe.each(OUTSIDERS)("%s", (role) => {
  test.each(SCHEMAS)("cannot use the schema %s", async (schema) => {
    expect(
      await sql.person(
        `select has_schema_privilege('${role}', '${schema}', 'usage') as usage,
           has_schema_privilege('${role}', '${schema}', 'create') as make`,
      ),
    ).toEqual([{ usage: false, make: false }]);
  });

  test("is refused every table and view", async () => {
    for (const { name, relkind } of await relations()) {
      if (relkind === "S") continue;
      for (
        const statement of [
          `select * from ${name}`,
          `insert into ${name} default values`,
          `delete from ${name}`,
        ]
      ) {
        await expect(as(role, statement), statement).rejects.toMatchObject({ code: "42501" });
      }
    }
  });

  test("holds no right on any of them, should the schema ever be opened", async () => {
    const held: string[] = [];
    for (const { name, relkind } of await relations()) {
      const rights = relkind === "S"
        ? "usage, select, update"
        : "select, insert, update, delete, truncate, references, trigger";
      const test = relkind === "S" ? "has_sequence_privilege" : "has_table_privilege";
      const [row] = await sql.person(`select ${test}('${role}', '${name}', '${rights}') as held`);
      if (row?.["held"]) held.push(String(name));
    }
    expect(held).toEqual([]);
  });

  test("may execute no function, should the schema ever be opened", async () => {
    const rows = await functions();
    const open: unknown[] = [];
    for (const { oid, name } of rows) {
      const [row] = await sql.person(
        `select has_function_privilege('${role}', ${oid}::oid, 'execute') as open`,
      );
      if (row?.["open"]) open.push(name);
    }
    expect(open).toEqual([]);
  });

  test.each([
    "select clockwork.now()",
    "select clockwork.tick()",
    "select clockwork.call_function('drain')",
    "select clockwork.clean_cron_log()",
    "select clockwork.actor()",
    "select clockwork.reason_text('NOT_OURS', '{}')",
    "select pgboss.job_now()",
    "select pgboss.create_queue('q', '{}')",
  ])("is refused %s", async (call) => {
    await expect(as(role, call)).rejects.toMatchObject({ code: "42501" });
  });
});

test.each(["anon", "authenticated"])("%s reaches neither Vault nor cron's functions", async (role) => {
  await expect(as(role, "select * from vault.decrypted_secrets")).rejects.toMatchObject({ code: "42501" });
  await expect(as(role, "select cron.schedule('mine', '* * * * *', 'select 1')")).rejects.toMatchObject({
    code: "42501",
  });
});

test("row level security is on for every table, and no policy opens one", async () => {
  const tables = (await relations()).filter((row) =>
    ROOMS.includes(String(row["nspname"])) && (row["relkind"] === "r" || row["relkind"] === "p")
  );
  expect(tables.length).toBeGreaterThan(10);
  expect(tables.filter((row) => !row["relrowsecurity"]).map((row) => row["name"])).toEqual([]);
  expect(await sql.person("select policyname from pg_policies where schemaname = any ($1)", [SCHEMAS]))
    .toEqual([]);
});

test("no function is executable by public", async () => {
  const open = await sql.person(
    `select pg_proc.oid::regprocedure::text as name
     from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
     cross join lateral aclexplode(coalesce(proacl, acldefault('f', proowner))) as granted
     where nspname = any ($1) and granted.grantee = 0`,
    [SCHEMAS],
  );
  expect(open).toEqual([]);
});

test("a function made later is closed to everybody else too", async () => {
  const refused = sql.undone(async (run) => {
    await run(
      "create function clockwork.later() returns int language sql set search_path = '' as 'select 1'",
    );
    await run("grant usage on schema clockwork to anon");
    await run("set local role anon");
    return await run("select clockwork.later()");
  });
  await expect(refused).rejects.toThrow(/permission denied for function later/);
});

test("every function of ours has an empty search path and runs as its caller", async () => {
  const ours = (await functions()).filter((row) => ROOMS.includes(String(row["nspname"])));
  expect(ours.length).toBeGreaterThan(8);
  for (const { name, proconfig, prosecdef } of ours) {
    expect(proconfig, String(name)).toEqual(['search_path=""']);
    expect(prosecdef, String(name)).toBe(false);
  }
});

test("every view looks with the rights of who asks", async () => {
  const views = await sql.person(
    `select pg_class.oid::regclass::text as name, reloptions
     from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where nspname = any ($1) and relkind = 'v'`,
    [ROOMS],
  );
  expect(views.length).toBeGreaterThan(4);
  for (const { name, reloptions } of views) expect(reloptions, String(name)).toEqual(["security_invoker=on"]);
});

test("every foreign key to a table that grows has an index", async () => {
  // A foreign key without an index makes every delete and every join on it read the whole table.
  const bare = await sql.person(
    `select conrelid::regclass::text as table, conname
     from pg_constraint
     where contype = 'f' and connamespace = any (array['registry', 'clockwork', 'tracker']::regnamespace[])
       and not exists (select from pg_index
         where indrelid = conrelid and indpred is null and indkey[0] = conkey[1])
       and confrelid not in ('clockwork.vendors'::regclass, 'clockwork.reasons'::regclass, 'tracker.order_states'::regclass,
         'tracker.renewal_states'::regclass)`,
  );
  expect(bare).toEqual([]);
});
