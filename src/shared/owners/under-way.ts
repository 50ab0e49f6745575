import type { Database, Trx } from "../db/database.ts";
import { findTasks } from "../queue/find.ts";
import { type Named, stepsUnderWay } from "../queue/history.ts";
import { type Difference, type MirroredFact, OWNERS, type PropagationStep, setterOf } from "./owners.ts";

/**
 * The differences that no task under way will repair: neither news of the fact, nor its propagation. The others are no
 * drift, for their task cannot be lost. News is found by any of the customer's keys.
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

/** True when the repair stopped at a person, or a person cancelled it and the values have not changed since. */
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
