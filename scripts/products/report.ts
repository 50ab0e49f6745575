import type { Database } from "../../src/shared/db/database.ts";
import { findingsText } from "./preview.ts";
import { counted, textTable } from "./table.ts";

/** The result of a retirement, as `--json` prints it. */
interface RetirementReport {
  from: string;
  to: string;
  moved: number;
  alreadyThere: number;
  notMoved: { subscription: string; finding: string; why: string }[];
  waitingForAPerson: { subscription: string; task: number | null; why: string }[];
  /** A person cancelled the task. */
  leftAsTheyAre: string[];
  waiting: number;
  /** Moved with another next billing date: they are with a person. */
  billingDatesMoved: number;
  paused: number;
  /** A page of the list that needs a person; nothing goes on before. */
  stopped: { task: number; reason: string } | null;
  /** Subscription items that still have the old price at Stripe, asked at the end. */
  stillOnTheOldPrice: number;
}

export async function makeReport(
  db: Database,
  retirementId: number,
  known: Pick<RetirementReport, "from" | "to" | "stopped" | "stillOnTheOldPrice">,
): Promise<RetirementReport> {
  const rows = await db.selectFrom("ops.price_moves").selectAll().where("retirement_id", "=", retirementId)
    .execute();
  const of = (state: string) => rows.filter((row) => row.state === state);
  const moved = of("moved");
  const unlike = moved.filter((row) =>
    row.billing_date_before?.getTime() !== row.billing_date_after?.getTime() &&
    !(row.billing_date_before && row.settled_at && row.billing_date_before <= row.settled_at)
  );
  return {
    ...known,
    moved: moved.length,
    alreadyThere: of("already there").length,
    notMoved: of("not moved").map((row) => ({
      subscription: row.subscription_id ?? "",
      finding: row.finding ?? "",
      why: row.why ?? "",
    })),
    waitingForAPerson: of("waiting for a person").map((row) => ({
      subscription: row.subscription_id ?? "",
      task: row.task_id,
      why: row.why ?? "",
    })),
    leftAsTheyAre: of("left as it is").map((row) => row.subscription_id ?? ""),
    waiting: of("waiting").length,
    billingDatesMoved: unlike.length,
    paused: moved.filter((row) => row.paused).length,
  };
}

export function reportText(report: RetirementReport): string {
  const { notMoved, waitingForAPerson, leftAsTheyAre, stopped } = report;
  const parts = [
    [
      `${counted(report.moved, "subscription")} moved from ${report.from} to ${report.to}` +
      `${report.paused > 0 ? `, ${report.paused} of them paused as before` : ""}; ` +
      `${report.billingDatesMoved === 0 ? "no" : report.billingDatesMoved} billing dates moved.`,
      ...(report.alreadyThere > 0 ? [`${report.alreadyThere} had been moved by somebody else.`] : []),
      ...(report.waiting > 0 ? [`${report.waiting} still wait for their turn.`] : []),
    ].join("\n"),
    notMoved.length === 0 ? "" : [
      `${notMoved.length} not moved:`,
      textTable(["subscription", "why"], notMoved.map((one) => [one.subscription, one.finding])),
      findingsText(
        notMoved.map(({ finding }) => finding),
        new Map(notMoved.map(({ finding, why }) => [finding, why])),
      ),
    ].join("\n"),
    waitingForAPerson.length === 0 ? "" : [
      `${waitingForAPerson.length} wait for a person (ops.manual_intervention):`,
      textTable(
        ["subscription", "task", "why"],
        waitingForAPerson.map((one) => [one.subscription, one.task ?? "", one.why]),
      ),
    ].join("\n"),
    leftAsTheyAre.length === 0 ? "" : `Left as they are by a person: ${leftAsTheyAre.join(", ")}`,
    stopped === null ? "" : `Task ${stopped.task} needs a person before it goes on: ${stopped.reason}`,
    report.stillOnTheOldPrice === 0
      ? "Nobody has the old price at Stripe any more."
      : `At Stripe ${report.stillOnTheOldPrice} still have the old price. Run the command again to move those that can be moved by then.`,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}
