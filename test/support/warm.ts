import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { type connect, makePool } from "../../src/shared/db/database.ts";
import type { DB } from "../../src/shared/db/types.ts";
import { createTestDatabase } from "./database.ts";
import { DRAINED_TEMPLATE } from "./global-setup.ts";

/**
 * A database for one world after another. A new one costs as much CPU as a whole story: the copy, the checkpoint of
 * its drop, and connections that have planned no statement yet.
 */
export interface WarmDatabase {
  url: string;
  /** For one world. A query after `close` fails, as on a connection that ended. */
  connect(): ReturnType<typeof connect>;
  /** Wipes it for the next world. Drops it when its tables or functions changed, or when a query still runs. */
  giveBack(): Promise<void>;
}

const free: WarmDatabase[] = [];
/** Deleted rows lie in the tables until a vacuum; with more of them a database is dropped. */
const MOST_DEAD_ROWS = 20_000;

/** A database with the rows of its template. */
export async function takeWarmDatabase(): Promise<WarmDatabase> {
  return free.pop() ?? await makeWarmDatabase();
}

async function makeWarmDatabase(): Promise<WarmDatabase> {
  const { url, superuserUrl, drop } = await createTestDatabase(undefined, DRAINED_TEMPLATE);
  const pool = makePool(url);
  // One connection: a function of pg_temp lives as long as it does.
  const admin = new pg.Client(superuserUrl);
  admin.on("error", () => {});
  await admin.connect();
  await admin.query(await wipeFunction(admin));
  const shape = await shapeOf(admin);
  let deadRows = 0;
  const warm: WarmDatabase = {
    url,
    connect() {
      let isOpen = true;
      const ofThisWorld = {
        options: {},
        async connect() {
          if (!isOpen) throw new Error("this world has ended");
          return await pool.connect();
        },
        end: () => Promise.resolve(void (isOpen = false)),
      };
      const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: ofThisWorld }) });
      return { db, close: () => db.destroy() };
    },
    async giveBack() {
      if (!(await isInUse(admin)) && (await shapeOf(admin)) === shape) {
        const { rows: [wiped] } = await admin.query<{ rows: number }>("select pg_temp.wipe() as rows");
        deadRows += wiped?.rows ?? 0;
        await resetSessions(pool);
        if (deadRows < MOST_DEAD_ROWS) return void free.push(warm);
      }
      await drop();
      // Not awaited: a pool ends only after the query that still runs.
      void Promise.allSettled([pool.end(), admin.end()]);
    },
  };
  return warm;
}

/** A world may have set a setting for the session. */
async function resetSessions(pool: pg.Pool): Promise<void> {
  const all = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
  await Promise.all(all.map((one) => one.query("reset all")));
  for (const one of all) one.release();
}

async function isInUse(admin: pg.Client): Promise<boolean> {
  const { rows } = await admin.query(
    `select from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()
       and backend_type = 'client backend' and state <> 'idle'`,
  );
  return rows.length > 0;
}

/** Another text after any change of a table, function, trigger, constraint or setting of the database. */
async function shapeOf(admin: pg.Client): Promise<string | undefined> {
  const { rows } = await admin.query<{ shape: string }>(
    `select md5(string_agg(version, ' ' order by version)) as shape from (
       select concat('c', oid, ' ', xmin) as version from pg_class where relnamespace <> pg_my_temp_schema()
       union all select concat('f', oid, ' ', xmin) from pg_proc where pronamespace <> pg_my_temp_schema()
       union all select concat('t', oid, ' ', xmin) from pg_trigger
       union all select concat('k', oid, ' ', xmin) from pg_constraint
       union all select concat('s', setrole, setconfig) from pg_db_role_setting
         join pg_database on pg_database.oid = setdatabase and datname = current_database()) as versions`,
  );
  return rows[0]?.shape;
}

/**
 * The statement that makes `pg_temp.wipe()` from the present rows: it brings them and the sequences back, and returns
 * the number of rows that it deleted. As a replica it fires no trigger and follows no reference.
 */
async function wipeFunction(admin: pg.Client): Promise<string> {
  const { rows: tables } = await admin.query<{ called: string; columns: string }>(
    `select oid::regclass::text as called,
       (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
     from pg_class
     where relkind = 'r' and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')`,
  );
  const statements: string[] = [];
  for (const { called, columns } of tables) {
    const sorted = `(select json_agg(one order by one::text)::text from ${called} as one)`;
    const { rows: [present] } = await admin.query<{ sorted: string | null; stored: string | null }>(
      `select ${sorted} as sorted, (select json_agg(one order by ctid)::text from ${called} as one) as stored`,
    );
    statements.push(
      `if ${sorted} is distinct from ${literal(present?.sorted)} then`,
      `delete from ${called}; get diagnostics n = row_count; deleted := deleted + n;`,
      // In their order: statements without one would meet them in another.
      `insert into ${called} (${columns}) overriding system value`,
      `select ${columns} from json_populate_recordset(null::${called}, ${literal(present?.stored)}); end if;`,
    );
  }
  const { rows: sequences } = await admin.query<{ line: string }>(
    `select format('perform setval(%L, %s, %L);', format('%I.%I', schemaname, sequencename),
       coalesce(last_value, start_value), last_value is not null) as line from pg_sequences`,
  );
  return `create function pg_temp.wipe() returns int language plpgsql
    set session_replication_role = replica set search_path = pg_catalog as $wipe$
    declare deleted int := 0; n int;
    begin ${[...statements, ...sequences.map(({ line }) => line)].join("\n")} return deleted; end $wipe$`;
}

function literal(text: string | null | undefined): string {
  return text ? `$rows$${text}$rows$` : "null";
}
