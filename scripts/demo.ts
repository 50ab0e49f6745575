import { run } from "./command.ts";
import { DEMO } from "./demo/options.ts";
import { conclude } from "./demo/report.ts";
import { runDemo } from "./demo/run.ts";

await run(DEMO, async (options, { progress }) => {
  const { text, exitCode } = conclude(await runDemo(options, progress), options.json);
  console.log(text);
  return exitCode;
});
