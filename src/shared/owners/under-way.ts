import type { Database, Trx } from "../db/database.ts";
import { findTasks } from "../queue/find.ts";
import { type Named, stepsUnderWay } from "../queue/history.ts";
import type { Difference } from "./mirrors.ts";
import { type MirroredFact, OWNERS, type PropagationStep, setterOf } from "./owners.ts";

/**
 * What of these differences no waiting task will put right: neither news of the fact, nor its propagation. What is
 * under way is no drift, and its task cannot be lost. News is found by any of the customer's keys, whichever its step keeps.
 */
export async function notUnderWay(
  db: Database,
  fact: MirroredFact,
  differences: readonly Difference[],
  named: Named,
): Promise<Difference[]> {
  if (differences.length === 0) return [];
  const leading = [...OWNERS[fact].news, OWNERS[fact].propagatedBy];
  const setters = new Set(differences.map(({ system, attribute }) => setterOf(fact, system, attribute)));
  const waiting = await stepsUnderWay(db, [...leading, ...setters], named);
  if (leading.some((step) => waiting.has(step))) return [];
  return differences.filter(({ system, attribute }) => !waiting.has(setterOf(fact, system, attribute)));
}

/**
 * True when a person has the repair already: it stopped and waits for them, or they dropped it and what differs is still
 * the same.
 */
export async function isLeftToAPerson(
  trx: Trx,
  fact: MirroredFact,
  step: PropagationStep,
  customerId: number,
): Promise<boolean> {
  const left = await findTasks(trx, { step, customerId, status: ["MANUAL_INTERVENTION", "CANCELLED"] });
  if (left.length === 0) return false;
  if (left.some(({ status }) => status === "MANUAL_INTERVENTION")) return true;
  const { changed_at: changedAt } = await trx.selectFrom("tracker.drift")
    .select((eb) => eb.fn.max("changed_at").as("changed_at"))
    .where("customer_id", "=", customerId).where("fact", "=", fact).where("repaired_at", "is", null)
    .executeTakeFirstOrThrow();
  return changedAt !== null && left.some(({ createdAt }) => changedAt <= createdAt);
}
