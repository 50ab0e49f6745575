import { copyDatabase, prepareCluster } from "./cluster.ts";
import { pushMigrations } from "./migrate.ts";
import { type PostgresOptions, startPostgres } from "./postgres.ts";
import { PROJECT } from "./project.ts";

/** A database with all migrations, on a server of its own. */
export interface MigratedDatabase {
  /** As role `postgres`. */
  url: string;
  /** Another one like it. Nobody may be connected to the first. Gives its URL. */
  copy(name: string): Promise<string>;
}

/** Starts Postgres, applies the migrations, and stops it when `work` has ended, in whatever way. */
export async function withMigratedDatabase<T>(
  work: (database: MigratedDatabase) => Promise<T>,
  options: PostgresOptions = {},
): Promise<T> {
  const server = await startPostgres(options);
  try {
    const cluster = await prepareCluster(server);
    const url = cluster.url("postgres");
    await pushMigrations({ url, workdir: PROJECT });
    return await work({ url, copy: (name) => copyDatabase(cluster, "postgres", name) });
  } finally {
    await server.stop();
  }
}
