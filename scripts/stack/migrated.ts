import { copyDatabase, prepareCluster } from "./cluster.ts";
import { pushMigrations } from "./migrate.ts";
import { type PostgresOptions, startPostgres } from "./postgres.ts";
import { PROJECT } from "./project.ts";

/** A database with all migrations, on a server of its own. */
interface MigratedDatabase {
  /** As role `postgres`. */
  url: string;
  /** Makes a copy, and gives its URL. Nobody may be connected to the original. */
  copy(name: string): Promise<string>;
}

/** Starts Postgres and applies the migrations. */
export async function startMigratedDatabase(
  options: PostgresOptions = {},
): Promise<MigratedDatabase & { stop(): Promise<void> }> {
  const server = await startPostgres(options);
  try {
    const cluster = await prepareCluster(server);
    const url = cluster.url("postgres");
    await pushMigrations({ url, workdir: PROJECT });
    return { url, copy: (name) => copyDatabase(cluster, "postgres", name), stop: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Such a database for `work`, stopped after it in any case. */
export async function withMigratedDatabase<T>(
  work: (database: MigratedDatabase) => Promise<T>,
  options: PostgresOptions = {},
): Promise<T> {
  const { stop, ...database } = await startMigratedDatabase(options);
  return await work(database).finally(stop);
}
