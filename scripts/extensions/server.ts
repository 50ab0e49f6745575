import { type LocalPostgres, startPostgres } from "../stack/postgres.ts";
import { sharedTemp } from "../stack/postgres-files.ts";
import { copyPostgres } from "./packages.ts";

/** A hosted project's settings, as far as they matter here. Without `clockwork.local` the clock cannot be moved. */
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
/**
 * Settings that load pg_cron. Not from the server's start: its launcher would occupy the database `postgres`. The jobs
 * run in background workers, which need no password.
 */
export const CRON = {
  shared_preload_libraries: "pg_cron",
  "cron.database_name": "postgres",
  "cron.use_background_workers": "on",
};

/** Starts Debian's Postgres on a free port of 127.0.0.1, in a temp folder that stop() deletes. */
export async function startDebianPostgres(): Promise<LocalPostgres> {
  return await startPostgres({
    edition: {
      bin: copyPostgres,
      temp: sharedTemp, // programs may not run from memory
      locale: ["--locale=C.UTF-8"],
      settings: SETTINGS,
    },
  });
}
