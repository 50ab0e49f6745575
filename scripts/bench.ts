import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { connect } from "../src/shared/db/database.ts";
import { drift } from "./bench/drift.ts";
import { finder } from "./bench/finder.ts";
import { queue } from "./bench/queue.ts";
import type { Section } from "./bench/section.ts";
import { copyDatabase, prepareCluster } from "./stack/cluster.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { startPostgres } from "./stack/postgres.ts";

// `npm run bench [-- --only <section> --customers N]`: what things cost, as ratios to a bare floor that is measured beside
// them in the same run, in turns, so that a busy machine slows both. Each section has a database of its own.

const SECTIONS: readonly Section[] = [
  queue,
  finder,
  drift,
];

const { values: { only, customers } } = parseArgs({
  options: { only: { type: "string" }, customers: { type: "string", default: "100000" } },
});
const chosen = SECTIONS.filter(({ name }) => only === undefined || name === only);
if (chosen.length === 0 || !/^[1-9]\d{0,6}$/.test(customers)) {
  const names = SECTIONS.map(({ name }) => name).join("|");
  console.error(`Usage: npm run bench -- [--only ${names}] [--customers N]`);
  process.exit(2);
}
// What was started ends with this process, in whatever way it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const startedAt = performance.now();
const progress = (line: string) =>
  console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);

const server = await startPostgres();
try {
  const cluster = await prepareCluster(server);
  await pushMigrations({
    url: cluster.url("postgres"),
    workdir: fileURLToPath(new URL("..", import.meta.url)),
  });
  for (const { name, run } of chosen) {
    const { db, close } = connect(await copyDatabase(cluster, "postgres", `bench_${name}`), 8);
    console.log(`${name}\n${await run({ db, customers: Number(customers), progress })}\n`);
    await close();
  }
} finally {
  await server.stop();
}
