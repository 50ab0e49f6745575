import { makeVendors, webhookConnector, webhookSecrets } from "./connectors.ts";
import { connect, type Database } from "./db/database.ts";
import { databaseUrl, type Env } from "./env.ts";
import { type DrainAppDeps, makeDrainApp } from "./http/drain-app.ts";
import { makeRenewalsApp } from "./http/renewals-app.ts";
import { makeWebhooksApp } from "./http/webhooks-app.ts";
import { makeBoss } from "./queue/boss.ts";
import type { Log } from "./queue/deps.ts";
import { drain } from "./queue/drain.ts";
import { Pace } from "./queue/pace.ts";
import { pharmacyZone } from "./queue/settings.ts";
import { makeStepTable, STEPS } from "./steps/table.ts";
import { sql } from "kysely";

/** How long the local stack's moved clock is trusted before it is read again. */
const CLOCK_TRUSTED_MS = 100;

/** A clock that follows `clockwork.now()`. Hosted it is the machine's own; only the local stack's can be moved. */
interface FollowedClock {
  now: () => Date;
  /** Reads the clock's offset anew, where there is one. */
  follow: () => Promise<void>;
}

function makeClock(env: Env, db: Database): FollowedClock {
  if (!env.CLOCKWORK_LOCAL) return { now: () => new Date(), follow: () => Promise.resolve() };
  let offset = 0;
  let readAt = -Infinity;
  return {
    now: () => new Date(Date.now() + offset),
    async follow() {
      if (performance.now() - readAt < CLOCK_TRUSTED_MS) return;
      const { rows } = await sql<{ now: Date }>`select clockwork.now() as now`.execute(db);
      const [row] = rows;
      if (row) offset = row.now.getTime() - Date.now();
      readAt = performance.now();
    },
  };
}

/** One structured line on standard output: a hosted function may write 100 in 10 s. */
export const logLine: Log = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

/** Everything the `webhooks` function is made of, from its environment. */
export function wireWebhooks(env: Env, log: Log = logLine) {
  const { db } = connect(databaseUrl(env));
  const clock = makeClock(env, db);
  return makeWebhooksApp({
    db,
    steps: makeStepTable(STEPS),
    log,
    clock: async () => {
      await clock.follow();
      return clock.now();
    },
    connector: webhookConnector,
    secrets: (vendor, source) => webhookSecrets(env, vendor, source),
  });
}

/** Everything the `drain` function is made of, from its environment. */
export function wireDrain(env: Env, background: DrainAppDeps["background"], log: Log = logLine) {
  const { db } = connect(databaseUrl(env));
  const clock = makeClock(env, db);
  const pace = new Pace((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)));
  const deps = {
    db,
    log,
    pace,
    clock: clock.now,
    boss: makeBoss(db),
    steps: makeStepTable(STEPS),
    vendors: makeVendors(env, (vendor) => pace.paced(vendor, fetch), clock.now, () => pharmacyZone(db)),
    every: (milliseconds: number, tick: () => void) => {
      const timer = setInterval(tick, milliseconds);
      return () => clearInterval(timer);
    },
  };
  return makeDrainApp({
    cronSecret: env.CLOCKWORK_CRON_SECRET,
    log,
    background,
    drain: async () => {
      await clock.follow();
      return await drain(deps);
    },
  });
}

/** Everything the `renewals` function is made of, from its environment. */
export function wireRenewals(env: Env, log: Log = logLine) {
  const { db } = connect(databaseUrl(env));
  return makeRenewalsApp({ db, log, cronSecret: env.CLOCKWORK_CRON_SECRET });
}
