import { sql } from "kysely";
import { makeVendors, webhookConnector, webhookSecrets } from "../../src/shared/connectors.ts";
import { connect, type Database } from "../../src/shared/db/database.ts";
import { type Env, parseEnv } from "../../src/shared/env.ts";
import { makeWebhooksApp } from "../../src/shared/http/webhooks-app.ts";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import { pharmacyZone } from "../../src/shared/queue/settings.ts";
import type { Step } from "../../src/shared/queue/step.ts";
import type { DrainDeps, DrainReport } from "../../src/shared/queue/turn.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { makeClinic } from "./clinic.ts";
import { makeClock } from "./clock.ts";
import { seeded } from "./random.ts";
import { startVendors, type VendorsOptions } from "./vendors.ts";

export interface WorldOptions
  extends Partial<Pick<VendorsOptions, "random" | "served" | "stripeEventKinds">> {
  /** A database with all migrations, for this world alone. */
  url: string;
  /** Default: now. */
  beginsAt?: Date;
  /** Default: one made for this world, of so many `connections` of the kind `Client`. */
  connection?: ReturnType<typeof connect>;
  connections?: number;
  Client?: Parameters<typeof connect>[2];
  steps?: readonly Step[];
  log?: DrainDeps["log"];
  /** False for a webhook that is answered and lost. Default: all are taken. */
  takes?: (body: string) => boolean;
}

const ROUNDS = 50;

export type World = Awaited<ReturnType<typeof makeWorld>>;

/**
 * Clockwork as it is (its steps, its drain, its SQL functions, a real database) among the vendors' sandboxes, in one
 * process and on a clock that can be moved.
 */
export async function makeWorld(options: WorldOptions) {
  const { url, beginsAt, connections, Client, steps, log, takes = () => true, ...vendorOptions } = options;
  const { db, close } = options.connection ?? connect(url, connections, Client);
  const clock = makeClock(db, beginsAt ? beginsAt.getTime() - Date.now() : 0);
  const vendors = await startVendors({
    random: seeded(1),
    ...vendorOptions,
    now: clock.now,
    webhooksUrl: "http://clockwork.test/webhooks",
    fetch: async (input, init) => {
      if (typeof init?.body === "string" && !takes(init.body)) return new Response(null, { status: 200 });
      return await webhooks.request(input instanceof Request ? input : String(input), init);
    },
  });
  const env = parseEnv(vendors.env);
  const deps = drainDeps({ db, env, clock: clock.now, fetch: vendors.fetch, steps, log });
  const webhooks = makeWebhooksApp({
    db,
    steps: deps.steps,
    log: deps.log,
    clock: () => Promise.resolve(clock.now()),
    connector: webhookConnector,
    secrets: (vendor, source) => webhookSecrets(env, vendor, source),
  });
  await clock.begin();
  // The sandboxes have no limits to respect.
  await sql`update clockwork.vendors set rate_per_second = 100000`.execute(db);
  let tasks = 0;
  const drainOnce = async (): Promise<DrainReport> => {
    const report = await drain(deps);
    tasks += report.settled;
    return report;
  };
  return {
    ...clock,
    db,
    vendors,
    clinic: makeClinic(db, vendors, clock.now),
    env,
    deps,
    /** The `webhooks` function's app. */
    webhooks,
    /** Drains once. */
    drain: drainOnce,
    /**
     * Sends webhooks and drains, again and again: until a round does nothing or, with `untilNothingIsDue`, until no
     * task is due. Throws after `rounds`.
     */
    async drainAll({ rounds = ROUNDS, untilNothingIsDue = false } = {}): Promise<void> {
      await untilStill(async () => {
        const sent = await vendors.flush();
        if ((untilNothingIsDue || sent.length === 0) && !(await isSomethingDue(db))) return false;
        const { settled, lost } = await drainOnce();
        return untilNothingIsDue || settled + lost + sent.length > 0;
      }, rounds);
    },
    /** The number of settled tasks, and of calls that the vendors answered. */
    counts: () => ({ tasks, calls: vendors.answered() }),
    async close(): Promise<void> {
      await vendors.close();
      await close();
    },
  };
}

/** The dependencies of a drain, by default with a quiet log. It has no heartbeat. */
export function drainDeps({ db, env, clock = () => new Date(), fetch: call = fetch, steps = STEPS, log }: {
  db: Database;
  env: Env;
  clock?: () => Date;
  /** Calls the vendors. */
  fetch?: typeof fetch;
  steps?: readonly Step[] | undefined;
  log?: DrainDeps["log"] | undefined;
}): DrainDeps {
  return {
    db,
    clock,
    log: log ?? (() => {}),
    boss: makeBoss(db),
    steps: makeStepTable(steps),
    vendors: makeVendors(env, () => call, clock, () => pharmacyZone(db)),
    every: () => () => {},
  };
}

/** Does rounds of work until one did nothing. Throws after `most`: a livelock must not look like a slow run. */
export async function untilStill(round: () => Promise<boolean>, most: number): Promise<void> {
  for (let left = most; left > 0; left--) if (!(await round())) return;
  throw new Error(`no rest after ${most} rounds: the same work is done again and again`);
}

/** Whether a task is due, in one statement. A drain that finds nothing needs twenty. */
async function isSomethingDue(db: Database): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    select exists (
      select from clockwork.tasks join clockwork.vendors using (vendor)
      where tasks.status in ('PENDING', 'QUEUED') and tasks.run_after <= clockwork.now()
        and coalesce(vendors.paused_until <= clockwork.now(), true)) as due`.execute(db);
  return rows[0]?.due ?? false;
}
