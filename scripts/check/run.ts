import { availableParallelism } from "node:os";
import { runCommand } from "../stack/run-command.ts";

/** The result of a check. It passed when there are no problems; the note is shown beside it. */
export interface Finding {
  problems: string[];
  note?: string;
}

export interface Check {
  name: string;
  run(): Promise<Finding>;
}

/** Runs the checks side by side. Prints a line each as it ends, then all problems. Gives true when all passed. */
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

/** A check that is a command: it fails when the command does, and says what the command wrote. */
export function commandCheck(
  name: string,
  command: readonly string[],
  { cwd, env = process.env }: { cwd: string; env?: NodeJS.ProcessEnv },
): Check {
  return {
    name,
    async run() {
      const { code, output } = await runCommand(command, { cwd, env });
      return { problems: code === 0 ? [] : [output.trim() || `exit code ${code}`] };
    },
  };
}
