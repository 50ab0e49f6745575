import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { advisorsCheck } from "./check/advisors.ts";
import { commandCheck, runChecks } from "./check/run.ts";
import { treeCheck } from "./check/tree.ts";
import { defineCommand, run } from "./command.ts";
import { startMigratedDatabase } from "./stack/migrated.ts";
import { PROJECT } from "./stack/project.ts";

const CHECK = defineCommand(
  "npm run check",
  "All checks but the tests. One line a check; exit code 1 when one fails.",
  {},
);
const BIN = join(PROJECT, "node_modules/.bin");
const env = {
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env["PATH"] ?? ""}`,
  DENO_NO_UPDATE_CHECK: "1",
};
const functions = readdirSync(join(PROJECT, "supabase/functions"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => `supabase/functions/${entry.name}/index.ts`);

/** @param more environment variables */
const checkBy = (name: string, command: readonly string[], more = {}) =>
  commandCheck(name, command, { cwd: PROJECT, env: { ...env, ...more } });
const DENO = join(BIN, "deno");

await run(CHECK, async () => {
  // One for all checks, and made beside the others.
  let database: ReturnType<typeof startMigratedDatabase> | undefined;
  const url = async () => (await (database ??= startMigratedDatabase())).url;
  try {
    const passed = await runChecks([
      // The long ones first: they decide how long it all takes.
      advisorsCheck(PROJECT, url),
      checkBy("tsc", [join(BIN, "tsc")]),
      checkBy(
        "functions under Deno",
        [
          DENO,
          "check",
          "--node-modules-dir=manual",
          "--no-lock",
          "--config=supabase/functions/deno.json",
          ...functions,
        ],
        // Hosted functions know only deno.json, so package.json must not help here.
        { DENO_NO_PACKAGE_JSON: "1" },
      ),
      {
        name: "generated files",
        run: async () =>
          await checkBy("", [process.execPath, "scripts/generate.ts", "--check", "--database", await url()])
            .run(),
      },
      checkBy("deno lint", [DENO, "lint"]),
      checkBy("deno fmt --check", [DENO, "fmt", "--check"]),
      treeCheck(PROJECT),
    ], (line) => console.log(line));
    return passed ? 0 : 1;
  } finally {
    await database?.then(({ stop }) => stop(), () => {});
  }
});
