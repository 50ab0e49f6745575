import { renderCheck, renderSum, sumOf } from "../proof/check.ts";
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
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  return [
    `Phase ${phase}`,
    ...Object.entries(figures).map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    ...(recoveries.length > 0 ? [renderRecoveries(recoveries)] : []),
    ...checks.map(renderCheck),
  ].join("\n");
}

function renderRecoveries(recoveries: readonly Recovery[]): string {
  const width = Math.max(...recoveries.map(({ fault }) => fault.length));
  const seconds = (value: number | null) => (value === null ? "-" : value.toFixed(1)).padStart(8);
  const head = `  ${"Fault".padEnd(width)}   times   seen on   median s    worst s   (Clockwork's time)`;
  return [
    head,
    ...recoveries.map(({ fault, injected, recovered, median, worst }) =>
      `  ${fault.padEnd(width)}  ${String(injected).padStart(6)}  ${String(recovered).padStart(8)}   ` +
      `${seconds(median)}   ${seconds(worst)}`
    ),
  ].join("\n");
}
