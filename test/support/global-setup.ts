import type { Client } from "pg";
import type { TestProject } from "vitest/node";
import { makeClock } from "../../scripts/sandbox/clock.ts";
import { drainDeps } from "../../scripts/sandbox/world.ts";
import { withClient } from "../../scripts/stack/client.ts";
import { copyStatement, prepareCluster } from "../../scripts/stack/cluster.ts";
import { pushMigrations } from "../../scripts/stack/migrate.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/stack/postgres.ts";
import { PROJECT } from "../../scripts/stack/project.ts";
import { connect } from "../../src/shared/db/database.ts";
import { parseEnv } from "../../src/shared/env.ts";
import { drain } from "../../src/shared/queue/drain.ts";

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

/** As the migrations leave it. */
export const TEMPLATE = "clockwork_template";
/** The same, and a first drain has made pg-boss's queues: that takes as long as to copy the whole database. */
export const DRAINED_TEMPLATE = "clockwork_drained";

let server: LocalPostgres | undefined;

/** Once per run: a Postgres, a project's roles, and the template databases. */
export async function setup(project: Pick<TestProject, "provide">): Promise<void> {
  server = await startPostgres();
  const cluster = await makeTemplate(server, process.env["CLOCKWORK_MIGRATIONS_WORKDIR"] ?? PROJECT);
  await makeDrainedTemplate(server, cluster);
  project.provide("cluster", cluster);
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
    await closeTemplate(admin, TEMPLATE);
  });
  return { url: cluster.url(""), superuserUrl: on.superuserUrl("") };
}

async function makeDrainedTemplate(on: LocalPostgres, cluster: TestCluster): Promise<void> {
  await withClient(on.superuserUrl("template1"), async (admin) => {
    await admin.query(copyStatement(TEMPLATE, DRAINED_TEMPLATE));
    const { db, close } = connect(cluster.url + DRAINED_TEMPLATE);
    await makeClock(db).begin();
    await drain(drainDeps({ db, env: parseEnv({}) }));
    await close();
    await closeTemplate(admin, DRAINED_TEMPLATE);
  });
}

/** Nobody may connect any more: a template in use cannot be copied. */
async function closeTemplate(admin: Client, name: string): Promise<void> {
  await admin.query(`alter database ${name} with is_template true allow_connections false`);
}
