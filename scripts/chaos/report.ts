import { renderCheck, renderSum, sumOf } from "../proof/check.ts";
import { aligned } from "../table.ts";
import type { PhaseReport } from "./run.ts";
import type { Recovery } from "./watch.ts";

/** Everything a run has to say; `--json` prints just this. */
export interface ChaosReport {
  ok: boolean;
  seed: number;
  seconds: number;
  phases: PhaseReport[];
  lost: number;
  doubled: number;
  unexplained: number;
}

export function makeReport(seed: number, seconds: number, phases: PhaseReport[]): ChaosReport {
  return { seed, seconds, phases, ...sumOf(phases.flatMap(({ checks }) => checks)) };
}

/** What `npm run chaos` prints. */
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
    ...aligned(rows, () => false).map((line) => `  ${line}`),
    ...(recoveries.length > 0 ? renderRecoveries(recoveries) : []),
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
  const head = ["Fault", "times", "seen on", "median s", "worst s"];
  const [first, ...lines] = aligned([head, ...rows], (column) => column > 0, "   ");
  return [`  ${first}   (Clockwork's time)`, ...lines.map((line) => `  ${line}`)];
}
