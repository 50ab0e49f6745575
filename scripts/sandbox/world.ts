import { sql } from "kysely";
import { makeVendors, webhookConnector, webhookSecrets } from "../../src/shared/connectors.ts";
import { connect, type Database } from "../../src/shared/db/database.ts";
import { type Env, parseEnv } from "../../src/shared/env.ts";
import { makeWebhooksApp } from "../../src/shared/http/webhooks-app.ts";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import type { DrainDeps, DrainReport } from "../../src/shared/queue/turn.ts";
import type { Step } from "../../src/shared/queue/step.ts";
import { pharmacyZone } from "../../src/shared/queue/settings.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { type Clinic, makeClinic } from "./clinic.ts";
import { type Clock, makeClock } from "./clock.ts";
import { seeded } from "./server.ts";
import { type LocalVendors, startVendors, type VendorsOptions } from "./vendors.ts";

/**
 * Clockwork as it is (its steps, its drain, its SQL functions, a real database) among the vendors' sandboxes, in one
 * process and on a clock to move.
 */
export interface World extends Clock {
  db: Database;
  vendors: LocalVendors;
  clinic: Clinic;
  env: Env;
  deps: DrainDeps;
  /** The `webhooks` function's app. */
  webhooks: ReturnType<typeof makeWebhooksApp>;
  /** Drains once. */
  drain(): Promise<DrainReport>;
  /**
   * Sends webhooks and drains, again and again: until a round does nothing or, with `untilNothingIsDue`, until nothing
   * is left that could run now. Throws after `rounds`.
   */
  settle(options?: { rounds?: number; untilNothingIsDue?: boolean }): Promise<void>;
  /** Tasks that were settled so far, and calls that the vendors answered. */
  counts(): { tasks: number; calls: number };
  close(): Promise<void>;
}

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
  /** False for a webhook that is answered and goes nowhere. Default: all are taken. */
  takes?: (body: string) => boolean;
}

const ROUNDS = 50;

/** A world on a database that is there already. */
export async function makeWorld(options: WorldOptions): Promise<World> {
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
  const drainOnce = async () => {
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
    webhooks,
    drain: drainOnce,
    async settle({ rounds = ROUNDS, untilNothingIsDue = false } = {}) {
      await untilStill(async () => {
        const sent = await vendors.flush();
        if ((untilNothingIsDue || sent.length === 0) && !(await isSomethingDue(db))) return false;
        const { settled, lost } = await drainOnce();
        return untilNothingIsDue || settled + lost + sent.length > 0;
      }, rounds);
    },
    counts: () => ({ tasks, calls: answeredBy(vendors) }),
    async close() {
      await vendors.close();
      await close();
    },
  };
}

/** What a drain works with: as it is, but with a quiet log and no heartbeat. */
export function drainDeps({ db, env, clock = () => new Date(), fetch: call = fetch, steps = STEPS, log }: {
  db: Database;
  env: Env;
  clock?: () => Date;
  /** How the vendors are called. */
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

/** Whether a drain would find something to take up now: one statement, where a drain that finds nothing needs twenty. */
async function isSomethingDue(db: Database): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    select exists (
      select from clockwork.tasks join clockwork.vendors using (vendor)
      where tasks.status in ('PENDING', 'QUEUED') and tasks.run_after <= clockwork.now()
        and coalesce(vendors.paused_until <= clockwork.now(), true)) as due`.execute(db);
  return rows[0]?.due ?? false;
}

function answeredBy({ stripe, health, pharmacy, crm }: LocalVendors): number {
  return [stripe, health, pharmacy, crm].reduce((sum, { faults }) => sum + faults.answered, 0);
}
