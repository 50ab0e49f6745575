import { randomBytes } from "node:crypto";
import type pg from "pg";
import { inject } from "vitest";
import { toughPool, withClient } from "../../scripts/stack/client.ts";
import { copyStatement } from "../../scripts/stack/cluster.ts";
import { TEMPLATE, type TestCluster } from "./global-setup.ts";

export interface TestDatabase {
  /** As role `postgres`, which is not a superuser: what migrations and functions connect as. */
  url: string;
  superuserUrl: string;
  /** As role `postgres`. Ended by drop(). */
  pool: pg.Pool;
  drop(): Promise<void>;
}

/** A database of its own for a test file, with all migrations applied: a copy of one of the run's templates. */
export async function createTestDatabase(
  cluster: TestCluster | undefined = inject("cluster"),
  template = TEMPLATE,
): Promise<TestDatabase> {
  if (!cluster) {
    throw new Error(
      "There is no test cluster: vitest.config.ts must name test/support/global-setup.ts as globalSetup",
    );
  }
  const name = `test_${randomBytes(6).toString("hex")}`;
  await asAdmin(cluster, copyStatement(template, name));
  const url = cluster.url + name;
  const pool = toughPool(url);
  return {
    url,
    superuserUrl: cluster.superuserUrl + name,
    pool,
    async drop() {
      await pool.end();
      await asAdmin(cluster, `drop database ${name} with (force)`);
    },
  };
}

async function asAdmin(cluster: TestCluster, statement: string): Promise<void> {
  await withClient(`${cluster.superuserUrl}template1`, (client) => client.query(statement));
}
