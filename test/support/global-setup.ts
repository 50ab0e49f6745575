import type { TestProject } from "vitest/node";
import { withClient } from "../../scripts/stack/client.ts";
import { prepareCluster } from "../../scripts/stack/cluster.ts";
import { pushMigrations } from "../../scripts/stack/migrate.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/stack/postgres.ts";
import { PROJECT } from "../../scripts/stack/project.ts";

/** What a test needs to make itself a database. The URLs end where the name of the database goes. */
export interface TestCluster {
  url: string;
  superuserUrl: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    cluster: TestCluster;
  }
}

export const TEMPLATE = "clockwork_template";

let server: LocalPostgres | undefined;

/** Once per run: a Postgres, a project's roles, and a template database with all migrations applied. */
export async function setup(project: Pick<TestProject, "provide">): Promise<void> {
  server = await startPostgres();
  project.provide(
    "cluster",
    await makeTemplate(server, process.env["CLOCKWORK_MIGRATIONS_WORKDIR"] ?? PROJECT),
  );
}

export async function teardown(): Promise<void> {
  await server?.stop();
}

/** @param workdir the folder that holds `supabase/migrations` */
export async function makeTemplate(on: LocalPostgres, workdir: string): Promise<TestCluster> {
  const cluster = await prepareCluster(on);
  await withClient(on.superuserUrl("template1"), async (admin) => {
    await admin.query(`create database ${TEMPLATE} owner postgres`);
    await pushMigrations({ url: cluster.url(TEMPLATE), workdir });
    // Nobody may connect any more: a template in use cannot be copied.
    await admin.query(`alter database ${TEMPLATE} with is_template true allow_connections false`);
  });
  return { url: cluster.url(""), superuserUrl: on.superuserUrl("") };
}
