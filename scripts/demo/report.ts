import { type Check, isOk, renderCheck, renderSum, type Sum, sumOf } from "../proof/check.ts";
import type { Evidence } from "../proof/evidence.ts";
import { aligned, indented } from "../table.ts";
import type { Stage } from "./stage.ts";
import type { Story } from "./story.ts";
import type { Injected } from "./troubles.ts";

type Row = Record<string, string | number>;

/** The report of a demo, as `--json` prints it. */
export interface DemoReport extends Sum {
  seed: number;
  customers: number;
  days: number;
  seconds: { start: number; story: number; checks: number };
  events: Row[];
  tasks: Row[];
  effects: Row[];
  waiting: Row[];
  stopped: Row[];
  faults: Injected[];
  repairs: number;
  ticks: number;
  checks: (Check & { ok: boolean })[];
}

export async function makeReport(
  { stack: { pool, vendors }, mail, ops, life }: Stage,
  story: Story,
  { seed, evidence, checks, seconds }:
    & Pick<DemoReport, "seed" | "seconds">
    & { evidence: Evidence; checks: readonly Check[] },
): Promise<DemoReport> {
  const rows = async (query: string) => (await pool.query<Row>(query)).rows;
  const senders = { stripe: "stripe", medplum: "health", photon: "pharmacy", customerio: "crm" } as const;
  const first = Math.min(
    ...[...vendors.stripe.state.customers.values()].map(({ created }) => created * 1000),
  );
  return {
    seed,
    customers: story.customers.length,
    days: Math.round((evidence.now.getTime() - first) / 86_400_000),
    seconds,
    events: Object.entries(senders).map(([path, vendor]) => ({
      vendor,
      events: vendors[vendor].outbox.acknowledged.size,
      deliveries: mail.posts.get(path) ?? 0,
    })),
    tasks: await rows("select status, count(*)::int as tasks from clockwork.tasks group by 1 order by 1"),
    effects: await rows(
      `select vendor, operation, (count(*) filter (where state = 'CONFIRMED'))::int as confirmed,
         (count(*) filter (where state = 'INTENT'))::int as no_reply, (count(*) filter (where state = 'REFUSED'))::int as refused,
         sum(attempt)::int as attempts from clockwork.effects group by 1, 2 order by 1, 2`,
    ),
    waiting: await rows(
      `select coalesce(why, '(no reason)') as why, count(*)::int as tasks, min(next_try)::date::text as next from ops.waiting
       group by 1 order by 2 desc`,
    ),
    stopped: await rows(
      `select reason_code as reason, step, count(*)::int as tasks from ops.manual_intervention group by 1, 2 order by 3 desc`,
    ),
    faults: [
      ...story.troubles.injected,
      ...[...mail.answers].filter(([status]) => status >= 300).map(([status, met]) => ({
        vendor: "clockwork",
        what: `webhook answered ${status}`,
        met,
      })),
      { vendor: "stripe", what: "invoice.paid held back", met: mail.delays() },
    ],
    repairs: ops.edits(),
    ticks: life.ticks(),
    checks: checks.map((check) => ({ ...check, ok: isOk(check) })),
    ...sumOf(checks),
  };
}

/** The output of `npm run demo`, and its exit code: 1 when anything was lost, doubled or left unexplained. */
export function conclude(report: DemoReport, json: boolean): { text: string; exitCode: 0 | 1 } {
  return { text: json ? JSON.stringify(report) : render(report), exitCode: report.ok ? 0 : 1 };
}

/** The report for people: tables, then the checks, then one line. */
function render(report: DemoReport): string {
  const events = report.events.reduce((sum, row) => sum + Number(row["events"]), 0);
  const { start, story, checks } = report.seconds;
  const parts = `start ${start.toFixed(1)}, story ${story.toFixed(1)}, checks ${checks.toFixed(1)}`;
  return [
    `${report.customers} customers, ${events} vendor events, ${report.days} days, seed ${report.seed}: ` +
    `${(start + story + checks).toFixed(1)} s (${parts}), ` +
    `${report.ticks} ticks, ${report.repairs} cells edited by hand`,
    table("Events per vendor (deliveries: with repeats)", report.events),
    table("Tasks per status", report.tasks),
    table("Effects, each once (no reply: the vendor's own webhook came first)", report.effects),
    table("Faults met", report.faults.map(({ vendor, what, met }) => ({ vendor, what, met }))),
    table("Waiting for their moment (ops.waiting)", report.waiting),
    table("Waiting for a person (ops.manual_intervention)", report.stopped),
    `Checks\n${report.checks.map(renderCheck).join("\n")}`,
    renderSum(report),
  ].join("\n\n");
}

function table(title: string, rows: readonly Row[]): string {
  const [first] = rows;
  if (!first) return `${title}\n  none`;
  const columns = Object.keys(first);
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? "")));
  const isNumber = (column: number) => typeof first[columns[column] ?? ""] === "number";
  return [title, ...indented(aligned([columns, ...cells], isNumber))].join("\n");
}
