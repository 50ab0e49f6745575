import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { connect, type Database } from "../../src/shared/db/database.ts";
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
import { PROJECT } from "./project.ts";
import { seeded } from "../sandbox/random.ts";
import { type LocalVendors, startVendors, type VendorsOptions } from "../sandbox/vendors.ts";

/** The functions read the moved clock anew after 100 ms (src/shared/wiring.ts); a little more to be sure. */
const FUNCTIONS_FOLLOW_MS = 120;

export interface StackOptions {
  dbPort: number;
  /** Where the functions are served. */
  port: number;
  /** Kept after stop(). Default: a temp folder, deleted by stop(). */
  dataDir?: string;
  seed?: number;
  /** How far the clock starts ahead of real time, in milliseconds; {@link Stack.clock} moves it on. */
  startAhead?: number;
  stripeEventKinds?: VendorsOptions["stripeEventKinds"];
  /** How the sandboxes send webhooks. Default: `fetch`. */
  fetch?: typeof fetch;
  /** Told of each step of starting and stopping. */
  log: (line: string) => void;
  /** Told of each line that a function writes. */
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
  cronSecret: string;
  /** Everything in the env file. */
  env: Record<string, string>;
  /** As role `postgres`: what a person at the table editor is. */
  pool: pg.Pool;
  db: Database;
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
  /** Stops everything, in order. Safe to repeat. */
  stop(): Promise<void>;
}

/** Brings up Postgres, the migrations, Vault's entries, the vendors' sandboxes and the functions under Deno. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { log, port, startAhead = 0 } = options;
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (let last = undo.pop(); last; last = undo.pop()) await last();
  };
  try {
    log("Starting Postgres");
    const server = await startPostgres({
      port: options.dbPort,
      ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    });
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
      ...(options.fetch ? { fetch: options.fetch } : {}),
      ...(options.stripeEventKinds ? { stripeEventKinds: options.stripeEventKinds } : {}),
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

    const written = { ...env, CLOCKWORK_FUNCTIONS_URL: functionsUrl };
    if (options.envFile !== undefined) {
      const file = options.envFile;
      writeLocalEnv(file, written);
      undo.push(() => removeLocalEnv(file, cronSecret));
    }
    return {
      server,
      databaseUrl,
      functionsUrl,
      cronSecret,
      env: written,
      pool,
      db,
      vendors,
      clinic: makeClinic(db, vendors, clock.now),
      clock,
      cron,
      net,
      functionLog,
      functionPid: served.value.pid,
      async drain() {
        const ended = functionLog.drainsEnded();
        const { rows } = await pool.query<{ request: string | null }>("select clockwork.tick() as request");
        const request = rows[0]?.request ?? null;
        if (request === null) return null;
        await net.deliverAll();
        const answer = await pool.query("select status_code from net._http_response where id = $1", [
          request,
        ]);
        const status: unknown = answer.rows[0]?.status_code;
        if (status !== 202) throw new Error(`the drain answered ${status} to the tick`);
        return await functionLog.drainEnds(ended);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As an operator does once per project: `select vault.create_secret(value, name)`. */
async function keepInVault(pool: pg.Pool, secrets: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(secrets)) {
    const { rows } = await pool.query("select id from vault.secrets where name = $1", [name]);
    if (rows.length === 0) await pool.query("select vault.create_secret($1, $2)", [value, name]);
    else await pool.query("select vault.update_secret($1, $2)", [rows[0].id, value]);
  }
}
