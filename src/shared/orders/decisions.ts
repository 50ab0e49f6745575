import type { Database, Trx } from "../db/database.ts";
import { answerOf } from "../queue/answers.ts";
import type { About } from "../queue/find.ts";
import type { FollowUp, Reason } from "../queue/reasons.ts";

/** A question about fills: a task `order.decide` in front of a person. */
export interface Question extends FollowUp<"order.decide"> {
  person: Reason;
  facts: string;
}

/** True for two questions about the same thing of an invoice, whatever its facts. */
export function isSameQuestion(
  one: Question["data"],
  other: { [Key in keyof Question["data"]]?: unknown },
): boolean {
  return one.case === other.case && one.line_id === other.line_id && one.price_id === other.price_id;
}

/**
 * A person's decision; undefined while there is none. To cancel the question without a choice is to call off: the word says
 * so.
 * @param about the attributes by which the question is the same
 */
export async function decisionOn(
  db: Database | Trx,
  { facts }: Question,
  about: About<"order.decide">,
): Promise<"ship" | "call_off" | undefined> {
  const answer = await answerOf(db, { step: "order.decide", about, facts });
  if (answer === "ship") return "ship";
  return answer === "call_off" || answer === "CANCELLED" ? "call_off" : undefined;
}
