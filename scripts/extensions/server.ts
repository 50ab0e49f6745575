import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type GuardedProcess, spawnGuarded } from "../stack/guarded.ts";
import { freePort, type LocalPostgres } from "../stack/postgres.ts";
import { postgresUser, sharedTemp } from "../stack/postgres-files.ts";
import { copyPostgres } from "./packages.ts";

/** As a hosted project has them, as far as they matter here. There is no `clockwork.local`: the clock cannot be moved. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  shared_buffers: "64MB",
  fsync: "off",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  max_worker_processes: "16",
};
/** pg_cron's jobs run in background workers, which need no password. */
const CRON = {
  shared_preload_libraries: "pg_cron",
  "cron.database_name": "postgres",
  "cron.use_background_workers": "on",
};
const ENV = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", TZ: "UTC" };
const START_TIMEOUT_MS = 30_000;

export interface DebianPostgres extends LocalPostgres {
  /** Restarts it with pg_cron loaded, for good. Not from the start: its launcher would hold the database `postgres`. */
  loadCron(): Promise<void>;
}

/** Starts Debian's Postgres on a free port of 127.0.0.1, in a temp folder that stop() deletes. */
export async function startDebianPostgres(): Promise<DebianPostgres> {
  const user = postgresUser();
  const folder = fs.mkdtempSync(join(sharedTemp(), "clockwork-extensions-"));
  const data = join(folder, "data");
  const logFile = join(folder, "postgres.log");
  const passwordFile = join(folder, "password");
  const password = randomBytes(24).toString("base64url");
  const port = await freePort();
  let settings: Record<string, string> = { ...SETTINGS, port: String(port) };
  let running: GuardedProcess | undefined;
  let bin = "";

  const start = async (): Promise<void> => {
    const log = fs.openSync(logFile, "a", 0o600);
    running = await spawnGuarded({
      command: join(bin, "postgres"),
      args: ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      cwd: folder,
      env: ENV,
      user,
      stopSignal: "INT", // a fast shutdown, in Postgres's language
      deleteWhenOrphaned: folder,
      output: log,
    }).finally(() => fs.closeSync(log));
    await ready(running, join(data, "postmaster.pid"), logFile);
  };
  const halt = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  const restart = async (): Promise<void> => {
    await halt();
    await start();
  };
  const stop = async (): Promise<void> => {
    await halt();
    fs.rmSync(folder, { recursive: true, force: true });
  };

  try {
    bin = copyPostgres(folder);
    fs.chmodSync(folder, 0o755);
    fs.writeFileSync(passwordFile, password, { mode: 0o600 });
    if (user) { for (const path of [folder, passwordFile]) fs.chownSync(path, user.uid, user.gid); }
    const args = ["-D", data, "-U", "supabase_admin", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    await promisify(execFile)(join(bin, "initdb"), [
      ...args,
      "--encoding=UTF8",
      "--locale=C.UTF-8",
      "--no-sync",
    ], {
      cwd: folder,
      env: ENV,
      ...user,
    });
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    password,
    logFile,
    superuserUrl: (database) => `postgresql://supabase_admin:${password}@127.0.0.1:${port}/${database}`,
    stop,
    restart,
    async kill9() {
      if (!running) return;
      process.kill(running.pid, "SIGKILL");
      await running.exited;
      running = undefined;
    },
    async loadCron() {
      settings = { ...settings, ...CRON };
      await restart();
    },
  };
}

/** Waits for the server's own word in postmaster.pid, as pg_ctl does. */
async function ready(server: GuardedProcess, pidFile: string, logFile: string): Promise<void> {
  let ended = false;
  void server.exited.then(() => (ended = true));
  for (const deadline = Date.now() + START_TIMEOUT_MS; !ended && Date.now() < deadline; await sleep(20)) {
    const lines = fs.existsSync(pidFile) ? fs.readFileSync(pidFile, "utf8").split("\n") : [];
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === "ready") return;
  }
  const log = fs.readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-10).join("\n");
  throw new Error(`Debian's Postgres did not start. The end of its log:\n${log}`);
}
