import { type ChaosOptions, parseOptions, USAGE } from "./chaos/options.ts";
import { makeReport, render } from "./chaos/report.ts";
import { type PhaseReport, runPhase } from "./chaos/run.ts";

// `npm run chaos`: the whole of Clockwork while everything under it breaks, and under pressure; then the question
// whether anything was lost, doubled or left unexplained. Exit code 1 if so.

let options: ChaosOptions;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\nUsage: ${USAGE}`);
  process.exit(2);
}
// What was started ends with this process, in whatever way it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const startedAt = performance.now();
const elapsed = () => (performance.now() - startedAt) / 1000;
const progress = (line: string) => console.error(`${elapsed().toFixed(1).padStart(6)} s  ${line}`);

const phases: PhaseReport[] = [];
for (const phase of options.phases) phases.push(await runPhase(phase, options, progress));
const report = makeReport(options.seed, elapsed(), phases);
console.log(options.json ? JSON.stringify(report) : render(report));
process.exitCode = report.ok ? 0 : 1;
