import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { copyDatabase, prepareCluster } from "./stack/cluster.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { startPostgres } from "./stack/postgres.ts";
import { parseOptions, type SimulateOptions, USAGE } from "./simulate/options.ts";
import { makeProgress } from "./simulate/progress.ts";
import { render } from "./simulate/report.ts";
import { runClinics } from "./simulate/clinics.ts";
import { picture } from "./simulate/svg.ts";

// `npm run simulate`: years of a clinic's renewals on a moved clock, checked every day. Exit code 1 when a rule broke.

let options: SimulateOptions;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\nUsage: ${USAGE}`);
  process.exit(2);
}
// What was started ends with this process, in whatever way it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const { seed, customers, clinics, days, busy, json, svg } = options;
console.error(`seed ${seed}: ${customers} customers of ${clinics} clinics, ${days} days`);
// Nothing here must survive a crash.
const server = await startPostgres({ settings: { synchronous_commit: "off" } });
try {
  const cluster = await prepareCluster(server);
  await pushMigrations({
    url: cluster.url("postgres"),
    workdir: fileURLToPath(new URL("..", import.meta.url)),
  });
  const urls: string[] = [];
  for (let clinic = 1; clinic <= clinics; clinic++) {
    urls.push(await copyDatabase(cluster, "postgres", `clinic_${clinic}`));
  }
  const progress = makeProgress(days, (text) => void process.stderr.write(text), process.stderr.isTTY);
  const report = await runClinics({ urls, seed, customers, days, busy, onDay: progress.day });
  progress.end();
  console.log(json ? JSON.stringify(report) : render(report));
  if (svg !== null) {
    mkdirSync(dirname(svg), { recursive: true });
    writeFileSync(
      svg,
      picture(report.funnel, report.open, {
        title: `${
          customers.toLocaleString("en-US")
        } customers over ${days} days: what became of their renewals`,
        subtitle:
          `npm run simulate -- --customers ${customers} --clinics ${clinics} --days ${days} --seed ${seed}`,
      }),
    );
    console.error(`the picture is in ${svg}`);
  }
  process.exitCode = report.ok ? 0 : 1;
} finally {
  await server.stop();
}
