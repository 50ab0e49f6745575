import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { advisorsCheck } from "./check/advisors.ts";
import { type Check, commandCheck, runChecks } from "./check/run.ts";
import { treeCheck } from "./check/tree.ts";
import { defineCommand, run } from "./command.ts";
import { startMigratedDatabase } from "./stack/migrated.ts";
import { PROJECT } from "./stack/project.ts";

const CHECK = defineCommand(
  "npm run check",
  "All that can be told without running the tests. One line a check; exit code 1 when one fails.",
  {},
);
const BIN = join(PROJECT, "node_modules/.bin");
const env = {
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env["PATH"] ?? ""}`,
  DENO_NO_UPDATE_CHECK: "1",
};
const options = { cwd: PROJECT, env };
const functions = readdirSync(join(PROJECT, "supabase/functions"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => `supabase/functions/${entry.name}/index.ts`);

await run(CHECK, async () => {
  // One for all that look at it, and made beside the others.
  let database: ReturnType<typeof startMigratedDatabase> | undefined;
  const url = async () => (await (database ??= startMigratedDatabase())).url;
  const generatedFilesCheck: Check = {
    name: "generated files",
    async run() {
      const command = [process.execPath, "scripts/generate.ts", "--check", "--database", await url()];
      return await commandCheck("", command, options).run();
    },
  };
  const deno = (name: string, ...args: string[]) => commandCheck(name, [join(BIN, "deno"), ...args], options);
  try {
    const passed = await runChecks([
      // The long ones first: they decide how long it all takes.
      advisorsCheck(PROJECT, url),
      commandCheck("tsc", [join(BIN, "tsc")], options),
      // Hosted functions know only deno.json, so package.json must not help here.
      commandCheck(
        "functions under Deno",
        [
          join(BIN, "deno"),
          "check",
          "--node-modules-dir=manual",
          "--no-lock",
          "--config=supabase/functions/deno.json",
          ...functions,
        ],
        { ...options, env: { ...env, DENO_NO_PACKAGE_JSON: "1" } },
      ),
      generatedFilesCheck,
      deno("deno lint", "lint"),
      deno("deno fmt --check", "fmt", "--check"),
      treeCheck(PROJECT),
    ], (line) => console.log(line));
    return passed ? 0 : 1;
  } finally {
    await database?.then(({ stop }) => stop(), () => {});
  }
});
