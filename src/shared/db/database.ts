import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import type { DB } from "./types.ts";

export type Database = Kysely<DB>;
export type Trx = Transaction<DB>;

const INT8 = 20;
const INTERVAL = 1186;

/** Ids are bigint in Postgres and stay far below 2^53, so they are numbers here; a larger one is an error. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint beyond 2^53: ${text}`);
  return value;
}

const types = {
  getTypeParser(oid: number, format?: "text" | "binary") {
    if (format === "binary") return pg.types.getTypeParser(oid, format);
    if (oid === INT8) return parseInt8;
    if (oid === INTERVAL) return (text: string) => text;
    return pg.types.getTypeParser(oid, format);
  },
};

/**
 * A pool for one process. `max` stays at 4 or below on the edge: the pooler multiplies it by the functions alive.
 * Nothing here uses LISTEN, session settings or session locks, so a transaction pooler serves.
 * @param Client the class of a connection; default: pg's own
 */
export function makePool(url: string, max = 4, Client = pg.Client): pg.Pool {
  const pool = new pg.Pool({
    Client,
    connectionString: url,
    max,
    types,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 10_000,
  });
  // A connection that breaks is replaced by the pool, and a query on it rejects. But without a listener, on the idle
  // ones and on each that is checked out, the break itself would end the process.
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  return pool;
}

/** The tables of a database, through a pool of its own. */
export function connect(...pool: Parameters<typeof makePool>): { db: Database; close(): Promise<void> } {
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: makePool(...pool) }) });
  return { db, close: () => db.destroy() };
}

/** A transaction whose changes carry the machinery's name (`clockwork:<part>`) in `task_history`. */
export async function asClockwork<Result>(
  db: Database,
  part: string,
  work: (trx: Trx) => Promise<Result>,
): Promise<Result> {
  return await db.transaction().execute(async (trx) => {
    await sql`select set_config('clockwork.actor', ${`clockwork:${part}`}, true)`.execute(trx);
    return await work(trx);
  });
}
