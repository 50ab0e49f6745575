import type { Check } from "../demo/checks.ts";
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
  const sum = (what: "lost" | "doubled" | "unexplained") =>
    phases.flatMap(({ checks }) => checks).reduce((count, check) => count + check[what].length, 0);
  const found = { lost: sum("lost"), doubled: sum("doubled"), unexplained: sum("unexplained") };
  const ok = found.lost + found.doubled + found.unexplained === 0;
  return { ok, seed, seconds, phases, ...found };
}

/** What `npm run chaos` prints. */
export function render(report: ChaosReport): string {
  return [
    `seed ${report.seed}, ${report.seconds.toFixed(0)} s`,
    ...report.phases.map(renderPhase),
    `${report.lost} lost, ${report.doubled} doubled, ${report.unexplained} unexplained`,
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

/** More than these of one kind tell nothing new. */
const SHOWN = 10;

function renderCheck({ name, looked, lost, doubled, unexplained }: Check): string {
  const found = [
    ...lost.map((one) => `lost: ${one}`),
    ...doubled.map((one) => `doubled: ${one}`),
    ...unexplained.map((one) => `unexplained: ${one}`),
  ];
  const more = found.length > SHOWN ? [`… and ${found.length - SHOWN} more`] : [];
  const lines = [...found.slice(0, SHOWN), ...more].map((one) => `\n        ${one}`).join("");
  return `  ${found.length === 0 ? "ok  " : "FAIL"}  ${name} (${looked})${lines}`;
}
