import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../src/shared/db/database.ts";
import { docsFiles } from "./generate/docs.ts";
import { prepareCluster } from "./stack/cluster.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { startPostgres } from "./stack/postgres.ts";

// `npm run generate` writes what comes from the code and from a database with all migrations applied;
// `npm run generate -- --check` only compares, and fails when a file differs.

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");

const server = await startPostgres();
try {
  const url = (await prepareCluster(server)).url("postgres");
  await pushMigrations({ url, workdir: PROJECT });
  const { db, close } = connect(url, 1);
  for (const [name, write] of Object.entries(docsFiles(db))) {
    const path = join(PROJECT, name);
    const committed = existsSync(path) ? readFileSync(path, "utf8") : "";
    const made = await write(committed);
    if (made === committed) continue;
    if (isCheck) {
      console.error(`${name} is out of date: run \`npm run generate\`.`);
      process.exitCode = 1;
    } else {
      writeFileSync(path, made);
      console.log(`${name} is written.`);
    }
  }
  await close();
} finally {
  await server.stop();
}
