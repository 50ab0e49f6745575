import { type Funnel, type OpenOnDay, stagesOf } from "./funnel.ts";

const BAR = 48;
const BLOCKS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;
const SPARKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** The funnel as bars of text. */
export function funnelChart(funnel: Funnel): string {
  const stages = stagesOf(funnel);
  const most = Math.max(1, ...stages.map(({ count }) => count));
  const wide = Math.max(...stages.map(({ name }) => name.length));
  return stages.map(({ name, count }) =>
    `  ${name.padEnd(wide)}  ${bar(count / most).padEnd(BAR)}  ${String(count).padStart(6)}`
  ).join("\n");
}

function bar(share: number): string {
  const eighths = Math.round(share * BAR * 8);
  return "█".repeat(Math.floor(eighths / 8)) + (BLOCKS[eighths % 8] ?? "");
}

/** How many renewals were open over the days, one character a span of days. */
export function openChart(days: readonly OpenOnDay[]): string {
  const count = Math.min(BAR, days.length);
  const from = (span: number) => Math.floor((span * days.length) / count);
  const line = (of: (day: OpenOnDay) => number) => {
    const spans = Array.from(
      { length: count },
      (_, i) => Math.max(0, ...days.slice(from(i), Math.max(from(i + 1), 1)).map(of)),
    );
    const most = Math.max(1, ...spans);
    return `${spans.map((value) => SPARKS[Math.round((value / most) * 7)] ?? "").join("")}  up to ${most}`;
  };
  return [
    `  scheduled  ${line(({ scheduled }) => scheduled)}`,
    `  asked      ${line(({ contacted }) => contacted)}`,
    `  lapsed     ${line(({ lapsed }) => lapsed)}`,
  ].join("\n");
}
