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

/** Every text in the database that is written for a person: comments, reasons, and the meanings in catalogues. */
const TEXTS = `
  select coalesce(pg_class.oid::regclass::text, pg_proc.oid::regprocedure::text, 'schema ' || pg_namespace.nspname)
    || coalesce('.' || attname, '') as of, description as text
  from pg_description
  left join pg_class on classoid = 'pg_class'::regclass and pg_class.oid = objoid
  left join pg_proc on classoid = 'pg_proc'::regclass and pg_proc.oid = objoid
  join pg_namespace on pg_namespace.oid = coalesce(relnamespace, pronamespace, objoid)
  left join pg_attribute on attrelid = pg_class.oid and attnum = objsubid and objsubid > 0
  where classoid in ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass) and nspname = any ($1)
  union all
  select code, text from clockwork.reasons cross join lateral unnest(array[sentence, repair, on_resend]) as text
  union all select code || ': ' || answer, label from clockwork.reason_choices
  union all select format('%s to %s', from_status, to_status), meaning from clockwork.task_moves
  union all select step, what from clockwork.nightly_work
  union all select state, meaning from tracker.order_states
  union all select state, meaning from tracker.renewal_states
  union all select finding, meaning from tracker.refill_findings
  union all select finding, meaning from tracker.move_findings`;

const WORDS_AT_MOST = 25;

/** A statement whose subject is such a clause must be read twice; a question is none. */
const HANGS_ON_A_CLAUSE = /^(what|who|whose|whoever|whatever)\b.*[^?]$/is;

test("every sentence for people is short, and its subject is a thing", async () => {
  const texts = await sql.person(TEXTS, [ROOMS]);
  const sentences = texts.flatMap((row) =>
    String(row["text"]).split(/(?<=[.?!…])\s+/).map((sentence) => ({ of: row["of"], sentence }))
  );
  expect(sentences.length).toBeGreaterThan(800);
  const tooLong = sentences.filter(({ sentence }) => sentence.split(/\s+/).length > WORDS_AT_MOST);
  expect(tooLong).toEqual([]);
  expect(sentences.filter(({ sentence }) => HANGS_ON_A_CLAUSE.test(sentence))).toEqual([]);
});

test("a repair and the result of a resend are shown as they are, so they name no detail of a task", async () => {
  const odd = await sql.person(
    "select code from clockwork.reasons where repair || on_resend ~ '\\{[a-z_]+\\}'",
  );
  expect(odd).toEqual([]);
});
