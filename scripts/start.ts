import { join, resolve } from "node:path";
import { defineCommand, run, sentenceOf } from "./command.ts";
import { choosePort } from "./stack/ports.ts";
import { PROJECT } from "./stack/project.ts";
import { withStack } from "./stack/stack.ts";
import { liveTheDay } from "./start/day.ts";
import { narrate, tellFunctionLine } from "./start/narrator.ts";
import { makeOut } from "./start/out.ts";
import { welcome } from "./start/welcome.ts";

const START = defineCommand(
  "npm start",
  `All of Clockwork on this machine, with a small clinic that lives its day, until Ctrl-C.
CLOCKWORK_DB_PORT and CLOCKWORK_PORT choose the ports of Postgres and of the functions, CLOCKWORK_ENV_FILE where
the URLs and secrets of the run are written.`,
  {},
  { explain: sentenceOf, interruptedCode: 0 },
);

await run(START, async (_options, { onInterrupt }) => {
  const out = makeOut();
  const envFile = resolve(process.env["CLOCKWORK_ENV_FILE"] || join(PROJECT, ".clockwork/local.env"));
  const db = await choosePort("CLOCKWORK_DB_PORT", process.env["CLOCKWORK_DB_PORT"], 54322);
  const functions = await choosePort("CLOCKWORK_PORT", process.env["CLOCKWORK_PORT"], 54321);
  for (const { port, insteadOf } of [db, functions]) {
    if (insteadOf !== undefined) out.plain(`Port ${insteadOf} is in use: taking ${port} instead`);
  }
  await withStack({
    dbPort: db.port,
    port: functions.port,
    log: out.plain,
    onFunctionLine: (line) => tellFunctionLine(out, line),
    envFile,
  }, async (stack) => {
    const ended = new AbortController();
    onInterrupt(() => ended.abort());
    stack.cron.start();
    stack.net.start();
    out.plain(welcome(stack, envFile));
    await Promise.all([liveTheDay(stack, out, ended.signal), narrate(stack.pool, out, ended.signal)])
      .finally(() => ended.abort());
    out.plain("Stopping");
  });
  out.plain("Clockwork has stopped");
});
