import { makeMail } from "./demo/mail.ts";
import { freePort } from "./local/postgres.ts";
import { seeded } from "./local/sandbox/server.ts";
import { startStack } from "./local/stack.ts";
import { examine, workOff } from "./chaos/aftermath.ts";
import { playChaos } from "./chaos/chaos.ts";
import { gatherCrowd } from "./chaos/crowd.ts";
import { type ChaosOptions, parseOptions, USAGE } from "./chaos/options.ts";

let options: ChaosOptions;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\nUsage: ${USAGE}`);
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
const startedAt = performance.now();
const progress = (line: string) => {
  console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);
};
progress(`seed ${options.seed}`);
const mail = makeMail();
const stack = await startStack({
  dbPort: await freePort(),
  port: await freePort(),
  seed: options.seed,
  fetch: mail.fetch,
  log: progress, onFunctionLine: (line) => { if (process.env["LOG"]) console.error("   ", line.text.slice(0, 200)); },
  stripeEventKinds: ["snapshot", "thin"],
});
try {
  await stack.pool.query("update clockwork.vendors set rate_per_second = 100000");
  const crowd = await gatherCrowd(stack, options.charges, seeded(options.seed));
  progress("crowd there");
  const report = await playChaos({ stack, crowd, ...options, progress });
  console.table(report.recoveries);
  progress("working off");
  await workOff(stack, crowd, progress);
  const checks = await examine(stack, crowd, mail);
  for (const c of checks) {
    console.log(c.name, c.looked, c.lost.length, c.doubled.length, c.unexplained.length);
    for (const l of [...c.lost, ...c.doubled, ...c.unexplained].slice(0, 12)) console.log("    ", l);
  }
  console.log(report.ticks);
  const lines: Record<string, number> = {};
  for (const l of stack.functionLog.lines) {
    const k = l.replace(/\d+/g, "N").slice(0, 160);
    lines[k] = (lines[k] ?? 0) + 1;
  }
  console.error(Object.entries(lines).sort((a, b) => b[1] - a[1]).slice(0, 40));
  console.error(
    (await stack.pool.query(
      "select status, step, reason_code, count(*) from clockwork.tasks group by 1,2,3 order by 1,2",
    )).rows.map((r) => JSON.stringify(r)).join("\n"),
  );
  if (process.env["KEEP"]) {
    console.error(stack.databaseUrl, stack.server.superuserUrl("postgres"));
    await new Promise(() => {});
  }
} finally {
  await stack.stop();
}
