import type { Trx } from "../../db/database.ts";
import { closeDrift, hashDifferences, recordDrift } from "../../owners/drift.ts";
import { againQuestion, askAgain, isAsked } from "../../owners/drift-questions.ts";
import { REGISTRY_COLUMNS } from "../../owners/drift-page.ts";
import { differencesOf } from "../../owners/mirrors.ts";
import {
  type Difference,
  type MirroredFact,
  OWNERS,
  type PropagationStep,
  setterOf,
} from "../../owners/owners.ts";
import { propagateContact } from "../../owners/propagate.ts";
import { readMirrors } from "../../owners/read-mirrors.ts";
import { isLeftToAPerson, notUnderWay } from "../../owners/under-way.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * The second look at a fact of one customer that seemed to differ: owner and mirrors are read anew. A mirror that still
 * differs, with no task under way for it, has drifted: `tracker.drift` records it, and the fact's propagation repairs it.
 * A fact that drifts again and again becomes a question, which is a task of this step.
 */
export const driftLook = defineOwnStep("drift.look", {
  queue: "crm",
  async run(ctx, { customer_id: customerId, fact, run_id: runId, again }) {
    const { db } = ctx.deps;
    const row = await db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
      .where("id", "=", customerId).executeTakeFirst();
    if (row === undefined) return { kind: "done" };
    ctx.about({ customerId });
    const { reading, unknown, keys } = await readMirrors(ctx, row, fact);
    const differences = reading === null ? [] : differencesOf(fact, reading);
    const drifted = await notUnderWay(
      db,
      fact,
      differences.filter((one) => !one.awaitsConfirmation),
      { customerId, keys },
    );
    const { drift_secret } = await db.selectFrom("clockwork.settings").select("drift_secret")
      .executeTakeFirstOrThrow();
    const hashed = await hashDifferences(drift_secret, customerId, drifted);
    const about = { customerId, fact, taskId: ctx.task.id };
    const question = unknown !== null && !(await isAsked(db, about, unknown.why)) ? unknown : null;
    let own = question?.askedBy === null ? question.why : null;
    if (again && drifted.length > 0) own = await againQuestion(db, about, true);
    return {
      ...(own ? { kind: "stopped", reason: own } : { kind: "done" }),
      commit: async (trx) => {
        const fresh = await recordDrift(trx, {
          customerId,
          runId: runId ?? null,
          taskId: ctx.task.id,
          differences: hashed,
        });
        if (reading !== null) await closeDrift(trx, customerId, fact, differences);
        const followUps = await repairs(trx, customerId, fact, drifted);
        if (followUps.length === 0 && question?.askedBy) {
          followUps.push(...await propagateContact(trx, customerId, question.askedBy));
        }
        if (fresh.length > 0 && !again) await askAgain(trx, ctx, about);
        return followUps;
      },
    };
  },
});

/** The fact's propagation, or the steps that set the drifted mirrors; without those that a person has already. */
async function repairs(
  trx: Trx,
  customerId: number,
  fact: MirroredFact,
  drifted: readonly Difference[],
): Promise<FollowUp[]> {
  const setters = [...new Set(drifted.map(({ system, attribute }) => setterOf(fact, system, attribute)))];
  const free: PropagationStep[] = [];
  for (const step of setters) if (!(await isLeftToAPerson(trx, fact, step, customerId))) free.push(step);
  // The fact's own propagation leads to the other steps by itself.
  const main = free.filter((step) => step === OWNERS[fact].propagatedBy);
  return (main.length > 0 ? main : free).map((step) => ({ step, data: { customer_id: customerId } }));
}
