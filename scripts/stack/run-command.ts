import { spawn } from "node:child_process";

/** Runs a command without a terminal and without input. `output` is stdout and stderr, as they came. */
export async function runCommand(
  [command = "", ...args]: readonly string[],
  { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ code: number | null; stdout: string; output: string }> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, output] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += chunk, output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, output }));
  });
}
