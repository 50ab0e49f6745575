import type { Database, Trx } from "../db/database.ts";
import { reason, type ReasonCode } from "../queue/reasons.ts";
import { type Case, type Treatment, TREATMENTS } from "./cases.ts";
import { decisionOn, isSameQuestion, type Question } from "./decisions.ts";
import { hasShipped, isWaiting, type Order } from "./orders.ts";
import type { Verdict } from "./verdict.ts";

/** The question of a case: its reason, and whether it is asked once for the invoice or once for each line. */
const QUESTIONS: Partial<Record<Case, { code: ReasonCode; isOfLine: boolean }>> = {
  PART_BACK: { code: "PARTIAL_REFUND", isOfLine: false },
  DISPUTED: { code: "CHARGE_DISPUTED", isOfLine: false },
  PART_DISPUTED: { code: "CHARGE_DISPUTED", isOfLine: false },
  ENDS_BEFORE: { code: "SUBSCRIPTION_ENDS", isOfLine: true },
  ENDED: { code: "SUBSCRIPTION_NOT_ACTIVE", isOfLine: true },
  UNKNOWN_STATUS: { code: "SUBSCRIPTION_NOT_ACTIVE", isOfLine: true },
  PRODUCT_LEFT: { code: "PRODUCT_LEFT", isOfLine: true },
};

/** The question about the order in this case; null for a case about which nobody is asked. */
export function questionAbout(order: Order, verdict: Verdict): Question | null {
  const question = QUESTIONS[verdict.case];
  if (!question) return null;
  const { invoice_id, invoice_line_id, customer_id: customerId } = order;
  return {
    step: "order.decide",
    data: {
      invoice_id,
      case: verdict.case,
      ...(question.isOfLine ? { line_id: invoice_line_id } : {}),
    },
    person: reason(question.code, verdict.details),
    facts: verdict.facts,
    customerId,
    invoiceId: invoice_id,
  };
}

/** The treatment of an order: by its case, or by a person's answer about it, which holds until its facts change. */
export async function treatmentOf(db: Database | Trx, order: Order, verdict: Verdict): Promise<Treatment> {
  const byCase = TREATMENTS[verdict.case];
  const question = questionAbout(order, verdict);
  if (!question) return byCase;
  const { invoice_id, line_id, case: found } = question.data;
  const about = { invoice_id, case: found, ...(line_id === undefined ? {} : { line_id }) };
  switch (await decisionOn(db, question, about)) {
    case "ship":
      return TREATMENTS.FINE;
    case "call_off":
      return TREATMENTS.CALLED_OFF;
    default:
      return byCase;
  }
}

/** The treatment in the state of the order; null where nothing can change any more. */
export function outcomeOf(order: Order, treatment: Treatment): Treatment["notSent" | "sent" | "left"] | null {
  if (["CANCELLED", "RETURNED", "DELIVERED"].includes(order.state)) return null;
  if (order.cancel_requested_at) return hasShipped(order) ? null : "cancelled";
  if (isWaiting(order)) return treatment.notSent;
  return hasShipped(order) ? treatment.left : treatment.sent;
}

/** The questions about orders on which a person can still decide, each once. */
export async function openQuestions(
  db: Database | Trx,
  orders: readonly Order[],
  verdicts: ReadonlyMap<number, Verdict>,
): Promise<Question[]> {
  const questions: Question[] = [];
  for (const order of orders) {
    const verdict = verdicts.get(order.id);
    const question = verdict && questionAbout(order, verdict);
    if (!question || questions.some(({ data }) => isSameQuestion(data, question.data))) continue;
    const outcome = outcomeOf(order, await treatmentOf(db, order, verdict));
    if (outcome === "held" || outcome === "asked") questions.push(question);
  }
  return questions;
}
