import { CHAOS } from "./chaos/options.ts";
import { makeReport, render } from "./chaos/report.ts";
import { type PhaseReport, runPhase } from "./chaos/run.ts";
import { run } from "./command.ts";

await run(CHAOS, async (options, { progress }) => {
  const phases: PhaseReport[] = [];
  for (const phase of options.phase) phases.push(await runPhase(phase, options, progress));
  const report = makeReport(options.seed, performance.now() / 1000, phases);
  console.log(options.json ? JSON.stringify(report) : render(report));
  return report.ok ? 0 : 1;
});
