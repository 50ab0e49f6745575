import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT } from "./project.ts";
import { runCommand } from "./run-command.ts";

const CLI = join(PROJECT, "node_modules/.bin/supabase");

/** A database, and the migrations that the CLI compares it with. */
interface CliTarget {
  /** A Postgres URL, as role `postgres`. */
  url: string;
  /** The folder that holds `supabase/migrations` (and `supabase/config.toml`). */
  workdir: string;
}

/** Applies the migrations with the real `supabase db push`. Throws with the CLI's output when it fails. */
export async function pushMigrations(target: CliTarget): Promise<void> {
  const folder = join(target.workdir, "supabase/migrations");
  if (!existsSync(folder)) throw new Error(`There are no migrations: ${folder} does not exist`);
  const { code, output } = await runSupabase(["db", "push", "--yes"], target);
  if (code !== 0) throw new Error(`supabase db push failed (exit code ${code}):\n${output}`);
}

/**
 * Runs the Supabase CLI on a database. Its home is a new folder: the log-in, links and settings of a developer have no
 * effect. The URL, which holds a password, is cut out of `output`.
 */
export async function runSupabase(args: readonly string[], { url, workdir }: CliTarget) {
  const home = mkdtempSync(join(tmpdir(), "clockwork-supabase-"));
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    SUPABASE_HOME: home,
    SUPABASE_NO_KEYRING: "1",
    SUPABASE_NO_UPDATE_NOTIFIER: "1",
    SUPABASE_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
    PGSSLMODE: "disable", // loopback
  };
  const command = [process.execPath, CLI, ...args, `--remote=${url}`, `--workdir=${workdir}`, "--agent=no"];
  try {
    const { output, ...result } = await runCommand(command, { cwd: workdir, env });
    return { ...result, output: output.replaceAll(url, "<url>") };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
