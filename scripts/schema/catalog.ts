import type pg from "pg";
import { z } from "zod";

// What the catalog says of one schema, as SQL to read. Each list is in an order that depends on nothing but names
// (columns: on their place in the table).

const RELATIONS = `
  select relation.oid::int8 as oid, relation.relname as name, relation.relkind as kind,
    relation.oid::regclass::text as called,
    relation.relrowsecurity as rls, relation.relforcerowsecurity as forced_rls,
    relation.relpersistence = 'u' as unlogged,
    array_to_string(relation.reloptions, ', ') as options,
    pg_get_partkeydef(relation.oid) as partitioned_by,
    (select format('%s %s', pg_inherits.inhparent::regclass, pg_get_expr(relation.relpartbound, relation.oid))
      from pg_inherits where pg_inherits.inhrelid = relation.oid) as partition_of,
    case when relation.relkind in ('v', 'm') then pg_get_viewdef(relation.oid, true) end as definition,
    obj_description(relation.oid, 'pg_class') as comment
  from pg_class as relation
  where relation.relnamespace = $1::regnamespace and relation.relkind not in ('i', 'I', 't')
    -- The sequence of an identity column is said with the column, the row type of a table with the table.
    and not exists (select from pg_depend where pg_depend.classid = 'pg_class'::regclass
      and pg_depend.objid = relation.oid and pg_depend.deptype in ('i', 'e') and relation.relkind = 'S')
  order by relation.relname`;

const COLUMNS = `
  select attribute.attrelid::int8 as relation, attribute.attname as name,
    format_type(attribute.atttypid, attribute.atttypmod) as type,
    attribute.attnotnull as not_null, attribute.attidentity as identity, attribute.attgenerated as generated,
    pg_get_expr(expression.adbin, expression.adrelid) as expression,
    col_description(attribute.attrelid, attribute.attnum) as comment
  from pg_attribute as attribute
  join pg_class as relation on relation.oid = attribute.attrelid
  left join pg_attrdef as expression
    on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum
  where relation.relnamespace = $1::regnamespace and relation.relkind in ('r', 'p', 'v', 'm')
    and attribute.attnum > 0 and not attribute.attisdropped
  order by attribute.attrelid, attribute.attnum`;

const CONSTRAINTS = `
  select pg_constraint.conrelid::int8 as relation, pg_constraint.conname as name,
    pg_get_constraintdef(pg_constraint.oid, true) as definition
  from pg_constraint
  where pg_constraint.connamespace = $1::regnamespace and pg_constraint.conrelid <> 0
    and pg_constraint.contype not in ('t', 'n')
  order by array_position('{p,u,f,c,x}', pg_constraint.contype::text), pg_constraint.conname`;

/** Indexes that no constraint made, triggers, policies: what hangs on a relation. */
const HANGING = `
  select pg_index.indrelid::int8 as relation, 1 as place, pg_index.indexrelid::regclass::text as name,
    pg_get_indexdef(pg_index.indexrelid) as definition
  from pg_index join pg_class as relation on relation.oid = pg_index.indrelid
  where relation.relnamespace = $1::regnamespace and relation.relkind in ('r', 'p', 'm')
    and not exists (select from pg_constraint where pg_constraint.conindid = pg_index.indexrelid
      and pg_constraint.contype in ('p', 'u', 'x'))
  union all
  select pg_trigger.tgrelid::int8, 2, pg_trigger.tgname, pg_get_triggerdef(pg_trigger.oid)
    || case pg_trigger.tgenabled when 'O' then '' else format(' -- enabled: %s', pg_trigger.tgenabled) end
  from pg_trigger join pg_class as relation on relation.oid = pg_trigger.tgrelid
  where relation.relnamespace = $1::regnamespace and not pg_trigger.tgisinternal
  union all
  select pg_policy.polrelid::int8, 3, pg_policy.polname,
    format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', pg_policy.polname, pg_policy.polrelid::regclass,
      case when pg_policy.polpermissive then 'PERMISSIVE' else 'RESTRICTIVE' end,
      case pg_policy.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE'
        when 'd' then 'DELETE' else 'ALL' end,
      (select string_agg(case role.oid when 0 then 'public' else role.oid::regrole::text end, ', ' order by 1)
        from unnest(pg_policy.polroles) as role (oid)))
    || coalesce(' USING (' || pg_get_expr(pg_policy.polqual, pg_policy.polrelid) || ')', '')
    || coalesce(' WITH CHECK (' || pg_get_expr(pg_policy.polwithcheck, pg_policy.polrelid) || ')', '')
  from pg_policy join pg_class as relation on relation.oid = pg_policy.polrelid
  where relation.relnamespace = $1::regnamespace
  order by 1, 2, 3`;

const FUNCTIONS = `
  select pg_proc.proname as name, pg_proc.oid::regprocedure::text as called, pg_proc.prokind as kind,
    case when pg_proc.prokind <> 'a' then pg_get_functiondef(pg_proc.oid) end as definition,
    obj_description(pg_proc.oid, 'pg_proc') as comment
  from pg_proc where pg_proc.pronamespace = $1::regnamespace
  order by pg_proc.oid::regprocedure::text`;

/** Types that are not just the row of a table or an array of something. */
const TYPES = `
  select pg_type.typname as name, pg_type.oid::regtype::text as called, pg_type.typtype as kind,
    (select string_agg(quote_literal(pg_enum.enumlabel), ', ' order by pg_enum.enumsortorder)
      from pg_enum where pg_enum.enumtypid = pg_type.oid) as labels,
    obj_description(pg_type.oid, 'pg_type') as comment
  from pg_type
  where pg_type.typnamespace = $1::regnamespace and pg_type.typelem = 0 and pg_type.typtype <> 'm'
    and (pg_type.typrelid = 0
      or (select pg_class.relkind = 'c' from pg_class where pg_class.oid = pg_type.typrelid))
  order by pg_type.typname`;

/** Who else than its owner may do what. Functions whose grants were never touched are everybody's: that shows. */
const GRANTS = `
  select acl.what, string_agg(acl.privilege, ', ' order by acl.privilege) as privileges, acl.grantee
  from (
    select given.what, given.grantor, entry.grantee::text as grantee,
      lower(entry.privilege_type) || case when entry.is_grantable then ' (may grant)' else '' end as privilege
    from (
      select 'schema ' || pg_namespace.oid::regnamespace as what, pg_namespace.nspowner as grantor,
        coalesce(pg_namespace.nspacl, acldefault('n', pg_namespace.nspowner)) as list
      from pg_namespace where pg_namespace.oid = $1::regnamespace
      union all
      select case pg_class.relkind when 'S' then 'sequence ' else 'table ' end || pg_class.oid::regclass, pg_class.relowner,
        coalesce(pg_class.relacl,
          acldefault(case pg_class.relkind when 'S' then 's' else 'r' end::"char", pg_class.relowner))
      from pg_class where pg_class.relnamespace = $1::regnamespace and pg_class.relkind in ('r', 'p', 'v', 'm', 'S')
      union all
      select 'function ' || pg_proc.oid::regprocedure, pg_proc.proowner,
        coalesce(pg_proc.proacl, acldefault('f', pg_proc.proowner))
      from pg_proc where pg_proc.pronamespace = $1::regnamespace
    ) as given
    cross join lateral (
      select case exploded.grantee when 0 then 'public' else exploded.grantee::regrole::text end as grantee,
        exploded.privilege_type, exploded.is_grantable
      from aclexplode(given.list) as exploded where exploded.grantee <> given.grantor
    ) as entry
  ) as acl
  group by acl.what, acl.grantee order by acl.what, acl.grantee`;

const oid = z.coerce.string();
const relations = z.array(z.object({
  oid,
  name: z.string(),
  kind: z.string(),
  called: z.string(),
  rls: z.boolean(),
  forced_rls: z.boolean(),
  unlogged: z.boolean(),
  options: z.string().nullable(),
  partitioned_by: z.string().nullable(),
  partition_of: z.string().nullable(),
  definition: z.string().nullable(),
  comment: z.string().nullable(),
}));
const columns = z.array(z.object({
  relation: oid,
  name: z.string(),
  type: z.string(),
  not_null: z.boolean(),
  identity: z.string(),
  generated: z.string(),
  expression: z.string().nullable(),
  comment: z.string().nullable(),
}));
const defined = z.array(z.object({ relation: oid, name: z.string(), definition: z.string() }));
const functions = z.array(z.object({
  name: z.string(),
  called: z.string(),
  kind: z.string(),
  definition: z.string().nullable(),
  comment: z.string().nullable(),
}));
const types = z.array(z.object({
  name: z.string(),
  called: z.string(),
  kind: z.string(),
  labels: z.string().nullable(),
  comment: z.string().nullable(),
}));
const grants = z.array(z.object({ what: z.string(), privileges: z.string(), grantee: z.string() }));

/** All of one schema. Throws at a kind of object that the dump does not know yet: nothing is left out silently. */
export async function readSchema(client: pg.ClientBase, schema: string) {
  const read = async <Rows>(shape: z.ZodType<Rows>, sql: string): Promise<Rows> =>
    shape.parse((await client.query(sql, [schema])).rows);
  return {
    relations: await read(relations, RELATIONS),
    columns: await read(columns, COLUMNS),
    constraints: await read(defined, CONSTRAINTS),
    hanging: await read(defined, HANGING),
    functions: await read(functions, FUNCTIONS),
    types: await read(types, TYPES),
    grants: await read(grants, GRANTS),
  };
}
export type Catalog = Awaited<ReturnType<typeof readSchema>>;
