import { sql } from "kysely";
import { onTestFinished } from "vitest";
import { type Clinic, makeClinic } from "../../scripts/sandbox/clinic.ts";
import { FOLLOW_CLOCKWORKS_CLOCK } from "../../scripts/sandbox/clock.ts";
import { isSomethingDue } from "../../scripts/stack/due.ts";
import { seeded } from "../../scripts/sandbox/server.ts";
import { type LocalVendors, startVendors, type VendorsOptions } from "../../scripts/sandbox/vendors.ts";
import { makeVendors, webhookConnector, webhookSecrets } from "../../src/shared/connectors.ts";
import { connect, type Database } from "../../src/shared/db/database.ts";
import { type Env, parseEnv } from "../../src/shared/env.ts";
import { makeWebhooksApp } from "../../src/shared/http/webhooks-app.ts";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain, type DrainDeps, type DrainReport } from "../../src/shared/queue/drain.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { createTestDatabase } from "./database.ts";

/** The whole of Clockwork in one process: a real database, the vendors' sandboxes over real HTTP, a clock to move. */
export interface World {
  db: Database;
  url: string;
  vendors: LocalVendors;
  clinic: Clinic;
  deps: DrainDeps;
  env: Env;
  /** The `webhooks` function's app. */
  webhooks: ReturnType<typeof makeWebhooksApp>;
  /** Every line that was logged. */
  lines: { event: string; fields: Record<string, unknown> }[];
  now(): Date;
  /** Moves the clock forward, in SQL and in TypeScript alike. */
  pass(time: { seconds?: number; minutes?: number; hours?: number; days?: number }): Promise<void>;
  /** Drains once. */
  drain(): Promise<DrainReport>;
  /** Sends webhooks and drains, until nothing is left that is due. */
  settle(): Promise<void>;
  task(id: number): Promise<Awaited<ReturnType<typeof readTask>>>;
  close(): Promise<void>;
}

async function readTask(db: Database, id: number) {
  return await db.selectFrom("clockwork.tasks").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
}

const WEBHOOKS_URL = "http://clockwork.test/webhooks";

/** A world of its own for one test; closed when the test ends, unless `close` is called before or it is to be `shared`. */
export async function makeWorld(
  { seed = 1, shared = false, connections, ...vendorOptions }:
    & { seed?: number; shared?: boolean; connections?: number }
    & Partial<Pick<VendorsOptions, "stripeEventKinds">> = {},
): Promise<World> {
  const database = await createTestDatabase();
  const { db, close } = connect(database.url, connections);
  let offset = 0;
  let isClosed = false;
  const now = () => new Date(Date.now() + offset);
  const lines: World["lines"] = [];
  const log: DrainDeps["log"] = (event, fields) => void lines.push({ event, fields });
  const steps = makeStepTable(STEPS);
  const vendors = await startVendors({
    ...vendorOptions,
    now,
    random: seeded(seed),
    webhooksUrl: WEBHOOKS_URL,
    fetch: async (input, init) =>
      await webhooks.request(input instanceof Request ? input : String(input), init),
  });
  const env = parseEnv(vendors.env);
  const webhooks = makeWebhooksApp({
    db,
    steps,
    log,
    clock: () => Promise.resolve(now()),
    connector: webhookConnector,
    secrets: (vendor, source) => webhookSecrets(env, vendor, source),
  });
  const deps: DrainDeps = {
    db,
    log,
    clock: now,
    boss: makeBoss(db),
    steps,
    vendors: makeVendors(env, () => fetch, now),
    every: () => () => {},
  };
  await sql.raw(FOLLOW_CLOCKWORKS_CLOCK).execute(db);
  await sql`update clockwork.vendors set rate_per_second = 100000`.execute(db);
  const world: World = {
    db,
    url: database.url,
    vendors,
    clinic: makeClinic(db, vendors, now),
    deps,
    env,
    webhooks,
    lines,
    now,
    async pass({ seconds = 0, minutes = 0, hours = 0, days = 0 }) {
      offset += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
      await sql`update clockwork.settings set clock_offset = ${`${offset / 1000} seconds`}::interval`.execute(
        db,
      );
    },
    drain: () => drain(deps),
    async settle() {
      for (let round = 0; round < 50; round++) {
        const sent = await vendors.flush();
        if (sent.length === 0 && !(await isSomethingDue(db))) return;
        const report = await drain(deps);
        if (report.settled === 0 && report.lost === 0 && sent.length === 0) return;
      }
      throw new Error("the world does not come to rest");
    },
    task: (id) => readTask(db, id),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await vendors.close();
      await close();
      await database.drop();
    },
  };
  if (!shared) onTestFinished(() => world.close());
  return world;
}
