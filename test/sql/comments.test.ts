import { afterAll, beforeAll, expect, test } from "vitest";
import { openSql, type Sql } from "./support.ts";

// The table editor shows comments: they are what a person has to go by.
const ROOMS = ["registry", "clockwork", "tracker", "ops"];

/** Tables whose every column a person looks at. */
const WHOLE = [
  "clockwork.tasks",
  "clockwork.effects",
  "clockwork.vendors",
  "clockwork.settings",
  "registry.customers",
  "registry.products",
  "registry.product_keys",
  "registry.price_choices",
  "tracker.orders",
  "tracker.first_prescriptions",
];

/** Columns that say all by their name. */
const PLAIN = /^(id|created_at|updated_at|only_row)$/;

let sql: Sql;
beforeAll(async () => void (sql = await openSql()));
afterAll(() => sql.drop());

test("every table, view, function and schema says what it is", async () => {
  const bare = await sql.person(
    `select 'schema ' || nspname as what from pg_namespace
     where nspname = any ($1) and obj_description(oid, 'pg_namespace') is null
     union all
     select pg_class.oid::regclass::text from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where nspname = any ($1) and relkind in ('r', 'v', 'm') and obj_description(pg_class.oid, 'pg_class') is null
     union all
     select pg_proc.oid::regprocedure::text from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
     where nspname = any ($1) and prorettype <> 'trigger'::regtype and obj_description(pg_proc.oid, 'pg_proc') is null
     order by 1`,
    [ROOMS],
  );
  expect(bare.map((row) => row["what"])).toEqual([]);
});

test.each(WHOLE)("every column of %s that does not say all by its name has a comment", async (table) => {
  const bare = await sql.person(
    `select attname from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped
       and col_description(attrelid, attnum) is null order by attnum`,
    [table],
  );
  expect(bare.map((row) => String(row["attname"])).filter((name) => !PLAIN.test(name))).toEqual([]);
});

test("comments are sentences of plain words", async () => {
  const odd = await sql.person(
    `select pg_description.objoid::regclass::text as of, objsubid, description
     from pg_description join pg_class on pg_class.oid = objoid join pg_namespace on pg_namespace.oid = relnamespace
     where classoid = 'pg_class'::regclass and nspname = any ($1) and description !~ '[.…]$'`,
    [ROOMS],
  );
  expect(odd).toEqual([]);
});
