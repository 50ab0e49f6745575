import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dumpRows, dumpSchema } from "./schema/dump.ts";
import { prepareCluster } from "./stack/cluster.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { startPostgres } from "./stack/postgres.ts";

// `npm run schema` writes supabase/schema.sql from a database with all migrations applied, schema and rows, so that a
// review shows what a migration really changes; `npm run schema -- --check` only compares, and fails when they differ.

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const FILE = join(PROJECT, "supabase/schema.sql");
const HEADER =
  `-- Written by \`npm run schema\` from the migrations: what they make together, to read and to compare.
-- Never edited by hand, never run. pg-boss's own schema is left out: its version says what it is.
`;
const ROWS = "-- The rows that the migrations put in.\n";

const server = await startPostgres();
try {
  const url = (await prepareCluster(server)).url("postgres");
  await pushMigrations({ url, workdir: PROJECT });
  const schema = [HEADER, await dumpSchema(url, ["pgboss"]), ROWS, await dumpRows(url, ["pgboss"])].join(
    "\n",
  );
  const committed = existsSync(FILE) ? readFileSync(FILE, "utf8") : "";
  if (!process.argv.includes("--check")) {
    writeFileSync(FILE, schema);
    console.log("supabase/schema.sql is written.");
  } else if (schema !== committed) {
    console.error(
      `supabase/schema.sql is out of date: run \`npm run schema\`.\n${firstDifference(committed, schema)}`,
    );
    process.exitCode = 1;
  }
} finally {
  await server.stop();
}

function firstDifference(committed: string, made: string): string {
  const [was, is] = [committed.split("\n"), made.split("\n")];
  const at = is.findIndex((line, index) => line !== was[index]);
  const line = at < 0 ? is.length : at;
  return `First at line ${line + 1}:\n  committed: ${was[line] ?? "(ends)"}\n  made:      ${
    is[line] ?? "(ends)"
  }`;
}
