import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { prepareCluster } from "./stack/cluster.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { startPostgres } from "./stack/postgres.ts";

// `npm run types` writes src/shared/db/types.ts from a database with all migrations applied;
// `npm run types -- --check` only compares, and fails when they differ.

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const TYPES = join(PROJECT, "src/shared/db/types.ts");
const CODEGEN = join(PROJECT, "node_modules/.bin/kysely-codegen");
const HEADER = "// Written by `npm run types` from the migrations. Never edited by hand.\n";

/** The table types that kysely-codegen reads from the database at `url`. */
function generate(url: string): string {
  const folder = mkdtempSync(join(tmpdir(), "clockwork-types-"));
  const file = join(folder, "types.ts");
  try {
    execFileSync(process.execPath, [
      CODEGEN,
      "--dialect=postgres",
      `--url=${url}`,
      `--out-file=${file}`,
      "--include-pattern=(registry|clockwork|tracker|ops).*",
      "--default-schema=none",
      `--type-mapping={"int8":"number","interval":"string"}`,
    ], { stdio: ["ignore", "ignore", "inherit"], cwd: folder });
    return HEADER + readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const server = await startPostgres();
try {
  const cluster = await prepareCluster(server);
  const url = cluster.url("postgres");
  await pushMigrations({ url, workdir: PROJECT });
  const types = generate(url);
  if (!process.argv.includes("--check")) {
    writeFileSync(TYPES, types);
    console.log("src/shared/db/types.ts is written.");
  } else if (types !== readFileSync(TYPES, "utf8")) {
    console.error("src/shared/db/types.ts is out of date: run `npm run types`.");
    process.exitCode = 1;
  }
} finally {
  await server.stop();
}
