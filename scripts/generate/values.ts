import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";

/** Text columns with values that the database knows. */
interface KnownValues {
  /** A type for each set of values, as TypeScript. */
  types: string;
  /** By `schema.table.column`: the column's type, as a node of kysely-codegen's `--overrides`. */
  columns: Record<string, Node>;
}

/** kysely-codegen's syntax tree. It parses a type given as text by TypeScript's own API, which version 7 lacks. */
type Node = { type: "Identifier"; name: string } | { type: "GenericExpression"; name: string; args: Node[] };

interface Column {
  schema: string;
  table: string;
  column: string;
  has_default: boolean;
}

interface Known extends Column {
  /** The column that names the set: itself, or the catalogue's column that it refers to. */
  named: string;
  values: string[];
}

interface Referring extends Omit<Known, "values"> {
  catalogue: string;
  target: string;
}

const OURS = "'{registry,clockwork,tracker}'::regnamespace[]";
const COLUMN = `pg_class.relnamespace::regnamespace::text as schema, pg_class.relname as table,
  pg_attribute.attname as column, pg_attribute.atthasdef as has_default`;

/** Constraints of the form \`column in ('A', 'B')\`. */
const CHECKED = `
  select ${COLUMN}, pg_class.relnamespace::regnamespace || '.' || pg_class.relname || '.' || pg_attribute.attname as named,
    array(select replace(found[1], '''''', '''')
      from regexp_matches(pg_get_constraintdef(pg_constraint.oid, true), '''((?:[^'']|'''')*)''::text', 'g') as found) as values
  from pg_constraint
  join pg_class on pg_class.oid = pg_constraint.conrelid
  join pg_attribute on pg_attribute.attrelid = pg_class.oid and array[pg_attribute.attnum] = pg_constraint.conkey
  where pg_constraint.contype = 'c' and pg_class.relnamespace = any (${OURS}) and pg_attribute.atttypid = 'text'::regtype
    and pg_get_constraintdef(pg_constraint.oid, true) ~ '^CHECK \\(\\w+ = ANY \\(ARRAY\\[[^\\]]*\\]\\)\\)$'`;

/** References to another table by one text column, and the columns they refer to. */
const REFERRING = `
  select distinct ${COLUMN}, catalogue.oid::regclass::text as catalogue, target.attname as target,
    catalogue.relnamespace::regnamespace || '.' || catalogue.relname || '.' || target.attname as named
  from pg_constraint
  join pg_class as catalogue on catalogue.oid = pg_constraint.confrelid
  join pg_attribute as target on target.attrelid = catalogue.oid and array[target.attnum] = pg_constraint.confkey
  join pg_attribute on (pg_attribute.attrelid = pg_constraint.conrelid and array[pg_attribute.attnum] = pg_constraint.conkey)
    or (pg_attribute.attrelid = target.attrelid and pg_attribute.attnum = target.attnum)
  join pg_class on pg_class.oid = pg_attribute.attrelid
  where pg_constraint.contype = 'f' and target.atttypid = 'text'::regtype
    and catalogue.relnamespace = any (${OURS})`;

/** @param db with all migrations applied and filled catalogues */
export async function readKnownValues(db: Database): Promise<KnownValues> {
  const { rows: known } = await sql.raw<Known>(CHECKED).execute(db);
  const { rows: referring } = await sql.raw<Referring>(REFERRING).execute(db);
  for (const column of referring) {
    const { rows } = await sql.raw<{ value: string }>(
      `select ${column.target} as value from ${column.catalogue}`,
    ).execute(db);
    if (rows.length > 0) known.push({ ...column, values: rows.map(({ value }) => value) });
  }
  return {
    types: [...new Set(known.map(typeOf))].sort().join("\n"),
    columns: Object.fromEntries(
      known.map((one) => [`${one.schema}.${one.table}.${one.column}`, columnType(one)]),
    ),
  };
}

function typeOf({ named, values }: Known): string {
  return `export type ${pascal(named)} = ${
    values.toSorted().map((value) => JSON.stringify(value)).join(" | ")
  };\n`;
}

/** Null is added where the column may be. */
function columnType({ named, has_default }: Known): Node {
  const type: Node = { type: "Identifier", name: pascal(named) };
  return has_default ? { type: "GenericExpression", name: "Generated", args: [type] } : type;
}

/** As kysely-codegen names tables and enums: `tracker.order_states.state` is TrackerOrderStatesState. */
function pascal(name: string): string {
  return name.split(/[._]/).map((part) => part.slice(0, 1).toUpperCase() + part.slice(1)).join("");
}
