import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { connect } from "../../src/shared/db/database.ts";
import { type Clinic, makeClinic } from "../sandbox/clinic.ts";
import { type Clock, makeClock } from "../sandbox/clock.ts";
import { toughPool } from "./client.ts";
import { prepareCluster } from "./cluster.ts";
import { type Cron, makeCron } from "./cron.ts";
import { type DrainEnd, type FunctionLine, type FunctionLog, makeFunctionLog } from "./function-log.ts";
import { serveFunctions } from "./functions.ts";
import { removeLocalEnv, writeLocalEnv } from "./local-env.ts";
import { pushMigrations } from "./migrate.ts";
import { makeNet, type Net } from "./net.ts";
import { type LocalPostgres, startPostgres } from "./postgres.ts";
import { freePort } from "./ports.ts";
import { PROJECT } from "./project.ts";
import { seeded } from "../sandbox/random.ts";
import { type LocalVendors, startVendors } from "../sandbox/vendors.ts";

/** The functions read the moved clock anew after 100 ms (src/shared/wiring.ts); a little more to be sure. */
const FUNCTIONS_FOLLOW_MS = 120;

interface StackOptions {
  /** Of Postgres. Default: a free one. */
  dbPort?: number;
  /** Where the functions are served. Default: a free one. */
  port?: number;
  seed?: number;
  /** How far the clock starts ahead of real time, in milliseconds; {@link Stack.clock} moves it on. */
  startAhead?: number;
  /** How the sandboxes send webhooks. Default: `fetch`. */
  fetch?: typeof fetch;
  /** Called with each step of starting and stopping. */
  log: (line: string) => void;
  /** Called with each line that a function writes. */
  onFunctionLine?: (line: FunctionLine) => void;
  /** Where the URLs and secrets of the running stack are written. Default: nowhere. */
  envFile?: string;
}

/** All of Clockwork, running on this machine. */
export interface Stack {
  /** The server itself: to restart it, to kill it, and for a superuser's connection. */
  server: LocalPostgres;
  /** As role `postgres`, which is not a superuser. */
  databaseUrl: string;
  /** `http://127.0.0.1:<port>/functions/v1` */
  functionsUrl: string;
  /** As role `postgres`, like a person at the table editor. */
  pool: pg.Pool;
  vendors: LocalVendors;
  clinic: Clinic;
  /** Moved with {@link Clock.pass}, it waits until the functions follow. */
  clock: Clock;
  /** Not started. */
  cron: Cron;
  /** Not started. */
  net: Net;
  functionLog: FunctionLog;
  /** The process id of a function, or undefined while it is down. */
  functionPid(name: string): number | undefined;
  /** One tick, as pg_cron does it, and the drain that it calls, to its end. Null: the tick found nothing to do. */
  drain(): Promise<DrainEnd | null>;
}

/**
 * Brings up Postgres, the migrations, Vault's entries, the vendors' sandboxes and the functions under Deno. All of it is
 * stopped, in order, when `work` has ended in any way.
 */
export async function withStack<T>(options: StackOptions, work: (stack: Stack) => Promise<T>): Promise<T> {
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await work(await startStack(options, undo));
  } finally {
    for (let last = undo.pop(); last; last = undo.pop()) await last();
  }
}

async function startStack(
  { log, startAhead = 0, envFile, ...options }: StackOptions,
  undo: (() => Promise<void> | void)[],
): Promise<Stack> {
  log("Starting Postgres");
  const port = options.port ?? await freePort();
  const server = await startPostgres({ port: options.dbPort ?? await freePort() });
  undo.push(() => server.stop());
  const databaseUrl = (await prepareCluster(server)).url("postgres");
  const functionsUrl = `http://127.0.0.1:${port}/functions/v1`;
  const cronSecret = randomBytes(24).toString("hex");

  const pool = toughPool(databaseUrl);
  undo.push(() => pool.end());
  const { db, close } = connect(databaseUrl);
  undo.push(close);
  const { begin, ...moved } = makeClock(db, startAhead);
  const clock: Clock = {
    ...moved,
    async pass(span) {
      await moved.pass(span);
      await sleep(FUNCTIONS_FOLLOW_MS);
    },
  };

  const vendors = await startVendors({
    now: clock.now,
    random: seeded(options.seed ?? 1),
    webhooksUrl: `${functionsUrl}/webhooks`,
    stripeEventKinds: ["snapshot", "thin"],
    ...(options.fetch ? { fetch: options.fetch } : {}),
  });
  undo.push(() => vendors.close());

  const env = {
    CLOCKWORK_DB_URL: databaseUrl,
    CLOCKWORK_CRON_SECRET: cronSecret,
    CLOCKWORK_LOCAL: "1",
    ...vendors.env,
  };
  const functionLog = makeFunctionLog(options.onFunctionLine);
  log("Applying the migrations and starting the functions");
  // Side by side: a function asks the database nothing before its first request.
  const [migrated, served] = await Promise.allSettled([
    pushMigrations({ url: databaseUrl, workdir: PROJECT }),
    serveFunctions({ root: PROJECT, port, env, log: functionLog.take }),
  ]);
  if (served.status === "fulfilled") undo.push(() => served.value.stop());
  if (migrated.status === "rejected") throw migrated.reason;
  if (served.status === "rejected") throw served.reason;

  await begin();
  await keepInVault(pool, { clockwork_functions_url: functionsUrl, clockwork_cron_secret: cronSecret });
  const onError = (error: unknown) =>
    log(`The local stack: ${error instanceof Error ? error.message : error}`);
  const net = makeNet({ pool, fetch, onError });
  undo.push(() => net.stop());
  const cron = makeCron({ pool, now: clock.now, onError });
  undo.push(() => cron.stop());

  if (envFile !== undefined) {
    writeLocalEnv(envFile, { ...env, CLOCKWORK_FUNCTIONS_URL: functionsUrl });
    undo.push(() => removeLocalEnv(envFile, cronSecret));
  }
  return {
    server,
    databaseUrl,
    functionsUrl,
    pool,
    vendors,
    clinic: makeClinic(db, vendors, clock.now),
    clock,
    cron,
    net,
    functionLog,
    functionPid: served.value.pid,
    async drain() {
      const ended = functionLog.drainsEnded();
      const { rows: [tick] } = await pool.query<{ request: string | null }>(
        "select clockwork.tick() as request",
      );
      if (!tick?.request) return null;
      await net.deliverAll();
      const { rows: [answer] } = await pool.query<{ status_code: number }>(
        "select status_code from net._http_response where id = $1",
        [tick.request],
      );
      if (answer?.status_code !== 202) {
        throw new Error(`the drain answered ${answer?.status_code} to the tick`);
      }
      return await functionLog.drainEnds(ended);
    },
  };
}

/** As an operator does once per project: `select vault.create_secret(value, name)`. */
async function keepInVault(pool: pg.Pool, secrets: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(secrets)) {
    await pool.query("select vault.create_secret($1, $2)", [value, name]);
  }
}
