import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT } from "./project.ts";

const CLI = join(PROJECT, "node_modules/.bin/supabase");

export interface PushOptions {
  /** A Postgres URL, as role `postgres`. */
  url: string;
  /** The folder that holds `supabase/migrations` (and `supabase/config.toml`). */
  workdir: string;
}

/** Applies the migrations with the real `supabase db push`. Throws with the CLI's output when it fails. */
export async function pushMigrations({ url, workdir }: PushOptions): Promise<void> {
  const folder = join(workdir, "supabase/migrations");
  if (!existsSync(folder)) throw new Error(`There are no migrations: ${folder} does not exist`);
  // A home of its own: what a developer logged in to, linked or agreed to must not matter here.
  const home = mkdtempSync(join(tmpdir(), "clockwork-supabase-"));
  try {
    const args = ["db", "push", `--remote=${url}`, `--workdir=${workdir}`, "--yes", "--agent=no"];
    const { code, output } = await run(args, home, workdir);
    if (code !== 0) {
      throw new Error(`supabase db push failed (exit code ${code}):\n${output.replaceAll(url, "<url>")}`);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** What the Supabase CLI sees of the environment. `home` is its own: what a developer logged in to or linked must not matter. */
export function cliEnvironment(home: string): Record<string, string | undefined> {
  return {
    PATH: process.env["PATH"],
    HOME: home,
    SUPABASE_HOME: home,
    SUPABASE_NO_KEYRING: "1",
    SUPABASE_NO_UPDATE_NOTIFIER: "1",
    SUPABASE_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
    PGSSLMODE: "disable", // loopback
    NO_COLOR: "1",
  };
}

async function run(
  args: string[],
  home: string,
  cwd: string,
): Promise<{ code: number | null; output: string }> {
  const env = cliEnvironment(home);
  return await new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject).on("close", (code) => resolve({ code, output }));
  });
}
