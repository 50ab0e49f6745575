import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineCommand, run } from "./command.ts";
import { checkFiring, checkMissingVault } from "./extensions/firing.ts";
import { ensurePackages, STAND_INS } from "./extensions/packages.ts";
import { makeReport, type Report } from "./extensions/report.ts";
import { checkSchedules } from "./extensions/schedules.ts";
import { CRON, startDebianPostgres } from "./extensions/server.ts";
import { toughPool, withClient } from "./stack/client.ts";
import { prepareCluster } from "./stack/cluster.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { PROJECT } from "./stack/project.ts";

const HOSTED = readFileSync(new URL("extensions/hosted.sql", import.meta.url), "utf8");
/** Without the packages' installation. */
const LIMIT_MS = 170_000;

const EXTENSIONS = defineCommand(
  "npm run test:extensions",
  `The migrations on Debian's Postgres 15 with the real pg_cron, which fires the real tick, which calls the real drain.
pg_net and Vault are not in Debian: those two are the local stack's stand-ins.`,
  {},
);

async function prove(report: Report, undo: (() => Promise<void> | void)[]): Promise<void> {
  report.step("Starting Debian's Postgres 15 in a temp folder");
  const server = await startDebianPostgres();
  undo.push(() => server.stop());
  const databaseUrl = (await prepareCluster(server)).url("postgres");
  await server.restart(CRON);
  await withClient(server.superuserUrl("postgres"), (client) => client.query(HOSTED));
  report.step(`pg_cron is Debian's; ${STAND_INS.join(" and ")} are stand-ins`);

  report.step("supabase db push");
  await pushMigrations({ url: databaseUrl, workdir: PROJECT });
  const pool = toughPool(databaseUrl, 4); // the server is restarted
  undo.push(() => pool.end());

  await checkSchedules(report, server, pool);
  await checkMissingVault(report, server, pool);
  await checkFiring(report, databaseUrl, pool, undo);
}

await run(EXTENSIONS, async () => {
  const report = makeReport((line) => console.log(line));
  const undo: (() => Promise<void> | void)[] = [];
  try {
    await ensurePackages(report.step);
    const limit = sleep(LIMIT_MS).then(() => {
      throw new Error(`not done after ${LIMIT_MS / 1000} s`);
    });
    await Promise.race([prove(report, undo), limit]);
  } catch (error) {
    report.fail("the proof did not come to its end", error);
  }
  report.step("Stopping everything");
  for (let last = undo.pop(); last; last = undo.pop()) {
    await Promise.resolve(last()).catch((error: unknown) => report.fail("stopping", error));
  }
  const { line, passed } = report.close();
  console.log(line);
  // A proof that came too late may still be waiting for something.
  process.exit(passed ? 0 : 1);
});
