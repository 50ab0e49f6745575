import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Writes `NAME='value'` lines that a shell can read with `.`; only the owner may read them. */
export function writeLocalEnv(file: string, env: Record<string, string>): void {
  mkdirSync(dirname(file), { recursive: true });
  const lines = Object.entries(env).map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'`);
  const text = ["# Of the running local stack. Removed when it stops.", ...lines, ""].join("\n");
  // A file that is there keeps its mode: it is made anew.
  rmSync(file, { force: true });
  writeFileSync(file, text, { mode: 0o600 });
}

/** Removes the file, unless another stack has written its own since. */
export function removeLocalEnv(file: string, cronSecret: string): void {
  if (existsSync(file) && readFileSync(file, "utf8").includes(cronSecret)) rmSync(file);
}
