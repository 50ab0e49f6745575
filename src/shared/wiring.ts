import { makeVendors, webhookConnector, webhookSecrets } from "./connectors.ts";
import { sql } from "kysely";
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

/** How long the local stack's moved clock is trusted before it is read again. */
const CLOCK_TRUSTED_MS = 100;

/** A clock that follows `clockwork.now()`. Hosted it is the machine's own; only the local stack's can be moved. */
function makeClock(env: Env, db: Database) {
  let offset = 0;
  let readAt = -Infinity;
  const now = () => new Date(Date.now() + offset);
  return {
    now,
    /** Now, after the clock's offset was read anew. */
    async follow() {
      if (!env.CLOCKWORK_LOCAL || performance.now() - readAt < CLOCK_TRUSTED_MS) return now();
      const { rows: [row] } = await sql<{ now: Date }>`select clockwork.now() as now`.execute(db);
      if (row) offset = row.now.getTime() - Date.now();
      readAt = performance.now();
      return now();
    },
  };
}

/** One structured line on standard output: a hosted function may write 100 in 10 s. */
const logLine: Log = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

/** The `webhooks` function, from its environment. */
export function wireWebhooks(env: Env, log: Log = logLine) {
  const { db } = connect(databaseUrl(env));
  return makeWebhooksApp({
    db,
    steps: makeStepTable(STEPS),
    log,
    clock: makeClock(env, db).follow,
    connector: webhookConnector,
    secrets: (vendor, source) => webhookSecrets(env, vendor, source),
  });
}

/** The `drain` function, from its environment. */
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

/** The `renewals` function, from its environment. */
export function wireRenewals(env: Env, log: Log = logLine) {
  const { db } = connect(databaseUrl(env));
  return makeRenewalsApp({ db, log, cronSecret: env.CLOCKWORK_CRON_SECRET });
}
