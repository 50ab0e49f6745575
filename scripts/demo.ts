import { run } from "./command.ts";
import { DEMO } from "./demo/options.ts";
import { conclude } from "./demo/report.ts";
import { runDemo } from "./demo/run.ts";

await run(DEMO, async ({ seed, customers, json }, { progress }) => {
  const { text, exitCode } = conclude(await runDemo({ seed, customers, progress }), json);
  console.log(text);
  return exitCode;
});
