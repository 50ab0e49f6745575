import pg from "pg";

/** Works on a connection of its own, which is closed when `work` has ended. */
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
 * A pool for a database that may be killed, restarted or dropped under it. A query on a broken connection rejects; but
 * the break itself is an event, and without a listener it would end this process: on the pool for idle connections,
 * on each one for those that somebody holds.
 */
export function toughPool(connectionString: string, max = 8): pg.Pool {
  const pool = new pg.Pool({ connectionString, max });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}
