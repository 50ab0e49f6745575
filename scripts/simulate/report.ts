import { aligned, indented } from "../table.ts";
import { type Break, RULES } from "./breaks.ts";
import { funnelChart, openChart } from "./chart.ts";
import type { Customer } from "./customer.ts";
import type { Funnel, OpenOnDay } from "./funnel.ts";

/** The report of a run, as `--json` prints it. */
export interface SimulationReport {
  ok: boolean;
  seed: number;
  customers: number;
  /** Days that were lived; fewer than asked for when too much broke. */
  days: number;
  /** The pharmacies', in the order of the clinics. */
  timeZones: string[];
  seconds: number;
  /** The number of checks of each rule. */
  checked: Record<string, number>;
  /** The number of times that each thing happened. */
  happened: Record<string, number>;
  funnel: Funnel;
  open: OpenOnDay[];
  /** `seed` and `customers`: of the clinic, to play it again alone. */
  breaks: (Break & { story: string[]; seed: number; customers: number })[];
}

/** A customer's story, a line an event, to find the cause of a break. */
export function storyOf(customer: Customer | undefined): string[] {
  return (customer?.story ?? []).map(({ at, what }) =>
    `${at.toISOString().slice(0, 16).replace("T", " ")}  ${what}`
  );
}

/** Several clinics as one. */
export function together(reports: readonly [SimulationReport, ...SimulationReport[]]): SimulationReport {
  const days = Math.max(...reports.map((report) => report.days));
  const at = (day: number, state: keyof OpenOnDay) =>
    reports.reduce((sum, { open }) => sum + (open[day]?.[state] ?? 0), 0);
  return {
    ok: reports.every(({ ok }) => ok),
    seed: reports[0].seed,
    customers: reports.reduce((sum, { customers }) => sum + customers, 0),
    days,
    timeZones: reports.flatMap(({ timeZones }) => timeZones),
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
    checked: sumOf(reports.map(({ checked }) => checked)),
    happened: sumOf(reports.map(({ happened }) => happened)),
    funnel: { ...reports[0].funnel, ...sumOf(reports.map(({ funnel }) => funnel)) },
    open: Array.from({ length: days }, (_, day) => ({
      scheduled: at(day, "scheduled"),
      contacted: at(day, "contacted"),
      lapsed: at(day, "lapsed"),
    })),
    breaks: reports.flatMap(({ breaks }) => breaks),
  };
}

function sumOf(counts: readonly object[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const count of counts) {
    for (const [name, times] of Object.entries<number>({ ...count })) sum[name] = (sum[name] ?? 0) + times;
  }
  return sum;
}

/** The output of `npm run simulate`. */
export function render(report: SimulationReport): string {
  const { seed, customers, days, timeZones, seconds, checked, happened, funnel, open, breaks } = report;
  return [
    `seed ${seed}: ${customers} customers, ${days} days, ${seconds.toFixed(0)} s, ` +
    `with a pharmacy in ${timeZones.join(" and one in ")}`,
    table("What happened", happened),
    `The renewals\n${funnelChart(funnel)}`,
    `Open renewals, day by day\n${openChart(open)}`,
    [
      "Checked every day",
      ...RULES.map((rule) => {
        const broken = breaks.filter((one) => one.rule === rule).length;
        return `  ${broken === 0 ? "ok  " : "FAIL"}  ${rule} (${checked[rule] ?? 0} times)`;
      }),
    ].join("\n"),
    ...breaks.map((one) => renderBreak(one, days)),
    breaks.length === 0
      ? "Nobody reached a gap unasked, nobody was asked twice, nobody who paused or cancelled heard or paid anything."
      : `${breaks.length} broken.`,
  ].join("\n\n");
}

function renderBreak(
  { rule, day, customer, what, story, seed, customers }: SimulationReport["breaks"][number],
  days: number,
): string {
  return [
    `BROKEN on ${day.slice(0, 16).replace("T", " ")}: ${rule}`,
    `  customer ${customer}: ${what}`,
    ...story.map((line) => `    ${line}`),
    `  Again: npm run simulate -- --clinics 1 --seed ${seed} --customers ${customers} --days ${days}`,
  ].join("\n");
}

function table(title: string, rows: Record<string, number>): string {
  const lines = Object.keys(rows).sort().map((name) => [name, String(rows[name]).padStart(7)]);
  return [title, ...indented(aligned(lines, (column) => column > 0))].join("\n");
}
