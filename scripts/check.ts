import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { advisorsCheck } from "./check/advisors.ts";
import { commandCheck, runChecks } from "./check/run.ts";
import { treeCheck } from "./check/tree.ts";

// `npm run check`: all that can be told without running the tests. One line a check; exit code 1 when one fails.

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules/.bin");
const FUNCTIONS = join(ROOT, "supabase/functions");

const cwd = ROOT;
const env = {
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env["PATH"] ?? ""}`,
  DENO_NO_UPDATE_CHECK: "1",
};
const entries = readdirSync(FUNCTIONS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => `supabase/functions/${entry.name}/index.ts`);

const passed = await runChecks([
  // The long ones first: they decide how long it all takes.
  advisorsCheck(ROOT),
  commandCheck("generated types", [process.execPath, "scripts/types.ts", "--check"], { cwd, env }),
  commandCheck("schema dump", [process.execPath, "scripts/schema.ts", "--check"], { cwd, env }),
  commandCheck("generated docs", [process.execPath, "scripts/generate.ts", "--check"], { cwd, env }),
  // Hosted functions know only deno.json, so package.json must not help here.
  commandCheck(
    "functions under Deno",
    [
      join(BIN, "deno"),
      "check",
      "--node-modules-dir=manual",
      "--no-lock",
      "--config=supabase/functions/deno.json",
      ...entries,
    ],
    { cwd, env: { ...env, DENO_NO_PACKAGE_JSON: "1" } },
  ),
  commandCheck("tsc", [join(BIN, "tsc")], { cwd, env }),
  commandCheck("deno lint", [join(BIN, "deno"), "lint"], { cwd, env }),
  commandCheck("deno fmt --check", [join(BIN, "deno"), "fmt", "--check"], { cwd, env }),
  treeCheck(ROOT),
], (line) => console.log(line));

process.exitCode = passed ? 0 : 1;
