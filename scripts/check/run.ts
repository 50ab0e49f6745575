import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";

/** What a check found: with problems it failed. The note is shown beside a check that passed. */
export interface Finding {
  problems: string[];
  note?: string;
}

export interface Check {
  name: string;
  run(): Promise<Finding>;
}

/** Runs the checks side by side, one line each as they end; then what the failing ones said. True when all passed. */
export async function runChecks(checks: readonly Check[], print: (line: string) => void): Promise<boolean> {
  const waiting = [...checks];
  const failed: { name: string; problems: string[] }[] = [];
  const width = Math.max(...checks.map(({ name }) => name.length));
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const since = performance.now();
      const { problems, note } = await check.run().catch((error: unknown): Finding => ({
        problems: [error instanceof Error ? error.stack ?? error.message : String(error)],
      }));
      const took = `${((performance.now() - since) / 1000).toFixed(1)} s`;
      const state = problems.length === 0 ? "ok  " : "FAIL";
      print(
        `${state}  ${check.name.padEnd(width)}  ${took.padStart(6)}${note === undefined ? "" : `  ${note}`}`,
      );
      if (problems.length > 0) failed.push({ name: check.name, problems });
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  for (const { name, problems } of failed) print(`\n${name}:\n${problems.join("\n")}`);
  return failed.length === 0;
}

export interface CommandOptions {
  cwd: string;
  /** In place of ours, when given. */
  env?: Record<string, string | undefined>;
}

/** Runs a command without a terminal and without input. */
export async function runCommand(
  [command = "", ...args]: readonly string[],
  { cwd, env = process.env }: CommandOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A check that is a command: it fails when the command does, and says what the command said. */
export function commandCheck(name: string, command: readonly string[], options: CommandOptions): Check {
  return {
    name,
    async run() {
      const { code, stdout, stderr } = await runCommand(command, options);
      return { problems: code === 0 ? [] : [`${stdout}${stderr}`.trim() || `exit code ${code}`] };
    },
  };
}
