import { renderCheck, renderSum, type Sum, sumOf } from "../proof/check.ts";
import { aligned, indented } from "../table.ts";
import type { PhaseReport } from "./run.ts";
import type { Recovery } from "./watch.ts";

/** The report of a run, as `--json` prints it. */
export interface ChaosReport extends Sum {
  seed: number;
  seconds: number;
  phases: PhaseReport[];
}

export function makeReport(seed: number, seconds: number, phases: PhaseReport[]): ChaosReport {
  return { seed, seconds, phases, ...sumOf(phases.flatMap(({ checks }) => checks)) };
}

/** The output of `npm run chaos`. */
export function render(report: ChaosReport): string {
  return [
    `seed ${report.seed}, ${report.seconds.toFixed(0)} s`,
    ...report.phases.map(renderPhase),
    renderSum(report),
  ].join("\n\n");
}

function renderPhase({ phase, figures, recoveries, checks }: PhaseReport): string {
  const rows = Object.entries(figures).map(([name, value]) => [name, String(value)]);
  return [
    `Phase ${phase}`,
    ...indented(aligned(rows, () => false)),
    ...(recoveries.length > 0 ? indented(renderRecoveries(recoveries)) : []),
    ...checks.map(renderCheck),
  ].join("\n");
}

function renderRecoveries(recoveries: readonly Recovery[]): string[] {
  const seconds = (value: number | null) => value === null ? "-" : value.toFixed(1);
  const rows = recoveries.map(({ fault, injected, recovered, median, worst }) => [
    fault,
    String(injected),
    String(recovered),
    seconds(median),
    seconds(worst),
  ]);
  const head = ["Fault", "times", "recovered", "median s", "worst s"];
  const [first, ...lines] = aligned([head, ...rows], (column) => column > 0, "   ");
  return [`${first}   (Clockwork's time)`, ...lines];
}
