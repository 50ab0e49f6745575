import pg from "pg";

/** Works on a connection of its own, which is closed after `work`. A copied database must have no connection. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * A pool for a database that may be killed, restarted or dropped under it. A query on a broken connection rejects. The
 * break itself is an event, which would end this process without a listener: on the pool for idle connections, on the
 * client for one in use.
 */
export function toughPool(connectionString: string, max = 8): pg.Pool {
  const pool = new pg.Pool({ connectionString, max });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}
