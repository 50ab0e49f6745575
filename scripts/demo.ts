import { type DemoOptions, parseOptions, USAGE } from "./demo/options.ts";
import { conclude } from "./demo/report.ts";
import { runDemo } from "./demo/run.ts";

// `npm run demo`: two months of a clinic on a moved clock, with everything going wrong that can, and then the
// question whether anything was lost, doubled or left unexplained. Exit code 1 if so.

let options: DemoOptions;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\nUsage: ${USAGE}`);
  process.exit(2);
}
// What was started ends with this process, in whatever way it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const startedAt = performance.now();
const progress = (line: string) => {
  console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);
};
const { text, exitCode } = conclude(await runDemo({ ...options, progress }), options.json);
console.log(text);
process.exitCode = exitCode;
