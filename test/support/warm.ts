import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { connect, makePool } from "../../src/shared/db/database.ts";
import type { DB } from "../../src/shared/db/types.ts";
import { createTestDatabase } from "./database.ts";

/** A database for one world at a time, whose connections stay open: they have planned every statement before. */
export interface WarmDatabase {
  url: string;
  /** For one world. Queries that come after `close` fail, as on a connection that ended. */
  connect(): ReturnType<typeof connect>;
  /** Makes it as it was, for the next world; drops it where that cannot be. */
  giveBack(): Promise<void>;
}

const free: WarmDatabase[] = [];
/** So many rows of a former world may lie dead in the tables. */
const MOST_DEAD_ROWS = 20_000;

/** A database as its template is: one that a world gave back, or a new one. */
export async function takeWarmDatabase(template: string): Promise<WarmDatabase> {
  return free.pop() ?? await makeWarmDatabase(template);
}

async function makeWarmDatabase(template: string): Promise<WarmDatabase> {
  const database = await createTestDatabase(undefined, template);
  const pool = makePool(database.url);
  // One connection: a function of pg_temp lives as long as it does.
  const admin = new pg.Client(database.superuserUrl);
  admin.on("error", () => {});
  await admin.connect();
  await admin.query(await wipeFunction(admin));
  const shape = await shapeOf(admin);
  let dead = 0;
  const warm: WarmDatabase = {
    url: database.url,
    connect() {
      let isOpen = true;
      const guarded = {
        options: {},
        async connect() {
          if (!isOpen) throw new Error("this world has ended");
          return await pool.connect();
        },
        end: () => Promise.resolve(void (isOpen = false)),
      };
      const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: guarded }) });
      return { db, close: () => db.destroy() };
    },
    async giveBack() {
      if (!(await isInUse(admin)) && (await shapeOf(admin)) === shape) {
        const { rows } = await admin.query<{ wiped: number }>("select pg_temp.wipe() as wiped");
        dead += rows[0]?.wiped ?? 0;
        if (dead < MOST_DEAD_ROWS) return void free.push(warm);
      }
      await Promise.all([pool.end(), admin.end()]);
      await database.drop();
    },
  };
  return warm;
}

/** Whether a statement or a transaction of somebody is under way. */
async function isInUse(admin: pg.Client): Promise<boolean> {
  const { rows } = await admin.query<{ used: boolean }>(
    `select exists (select from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
         and backend_type = 'client backend' and state <> 'idle') as used`,
  );
  return rows[0]?.used ?? true;
}

/** Changes whenever a table, function, trigger, constraint or setting of the database does. */
async function shapeOf(admin: pg.Client): Promise<string> {
  const { rows } = await admin.query<{ shape: string }>(
    `select md5(string_agg(version, ' ')) as shape from (
       select concat('c', oid, ':', xmin) as version from pg_class where oid > 16383 and relnamespace <> pg_my_temp_schema()
       union all select concat('p', oid, ':', xmin) from pg_proc where oid > 16383 and pronamespace <> pg_my_temp_schema()
       union all select concat('t', oid, ':', xmin) from pg_trigger
       union all select concat('k', oid, ':', xmin) from pg_constraint where oid > 16383
       union all select concat('s', setrole, setconfig) from pg_db_role_setting where setdatabase = (select oid from pg_database where datname = current_database())
       order by 1) as versions`,
  );
  return rows[0]?.shape ?? "";
}

/**
 * The statement that makes `pg_temp.wipe()` for the rows that the database has now: it brings these back, sequences
 * too, and gives the number of rows that it deleted. No trigger fires and no reference is followed meanwhile.
 */
async function wipeFunction(admin: pg.Client): Promise<string> {
  const { rows: tables } = await admin.query<{ called: string; columns: string }>(
    `select oid::regclass::text as called,
       (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
     from pg_class
     where relkind = 'r' and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')
       and relpersistence = 'p'`,
  );
  const statements = [];
  for (const { called, columns } of tables) {
    const { rows: [there] } = await admin.query<{ rows: string | null }>(
      `select json_agg(one order by one::text)::text as rows from ${called} as one`,
    );
    const rows = there?.rows ?? null;
    statements.push(
      `if (select json_agg(one order by one::text)::text from ${called} as one) is distinct from ${
        literal(rows)
      } then delete from ${called}; get diagnostics n = row_count; wiped := wiped + n; ${
        rows === null
          ? ""
          : `insert into ${called} (${columns}) overriding system value select ${columns} from json_populate_recordset(null::${called}, ${
            literal(rows)
          });`
      } end if;`,
    );
  }
  const { rows: sequences } = await admin.query<{ called: string; last: string | null; start: string }>(
    `select format('%I.%I', schemaname, sequencename) as called, last_value as last, start_value as start from pg_sequences`,
  );
  for (const { called, last, start } of sequences) {
    statements.push(`perform setval('${called}', ${last ?? start}, ${last !== null});`);
  }
  return `create function pg_temp.wipe() returns int language plpgsql
    set session_replication_role = replica set search_path = pg_catalog as $wipe$
    declare wiped int := 0; n int;
    begin ${statements.join("\n")} return wiped; end $wipe$`;
}

function literal(text: string | null): string {
  return text === null ? "null" : `$rows$${text}$rows$`;
}
