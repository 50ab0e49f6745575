import { z } from "zod";
import { closeDrift, hashDifferences, recordDrift } from "../owners/drift.ts";
import { againQuestion, isAsked } from "../owners/drift-questions.ts";
import { REGISTRY_COLUMNS } from "../owners/drift-page.ts";
import { differencesOf } from "../owners/mirrors.ts";
import { MIRRORED_FACTS, OWNERS } from "../owners/owners.ts";
import { readMirrors } from "../owners/read-mirrors.ts";
import { isLeftToAPerson, isUnderWay } from "../owners/under-way.ts";
import { type FollowUp, reason } from "../queue/reasons.ts";
import { defineStep } from "../queue/step.ts";

/** What differs while its news waits to be worked off is looked at again so long after. */
const UNDER_WAY_MINUTES = 10;

/**
 * The second look at a fact of one customer that seemed to differ: owner and mirrors are read anew. What differs still,
 * with no news of it on its way, has drifted: it is written down, and the fact's propagation puts it right. What drifts
 * again and again becomes a question, which is this step once more.
 */
export const driftLook = defineStep({
  handles: ["drift.look"],
  queue: "crm",
  data: z.strictObject({
    customer_id: z.number().int(),
    fact: z.enum(MIRRORED_FACTS),
    /** The run that asked for it; absent on demand. */
    run_id: z.number().int().optional(),
    /** It is the question about what drifts again and again. */
    again: z.literal(true).optional(),
  }),
  async run(ctx, { customer_id: customerId, fact, run_id: runId, again }) {
    const { db } = ctx.deps;
    const row = await db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
      .where("id", "=", customerId).executeTakeFirst();
    if (row === undefined) return { kind: "done" };
    ctx.about({ customerId });
    const { reading, unknown, keys } = await readMirrors(ctx, row, fact);
    const differences = reading === null ? [] : differencesOf(fact, reading);
    const drifted = differences.filter((one) => !one.awaitsConfirmation);
    if (drifted.length > 0 && await isUnderWay(db, fact, { customerId, keys })) {
      const until = new Date(ctx.now().getTime() + UNDER_WAY_MINUTES * 60_000);
      return { kind: "wait", until, reason: reason("CHANGE_UNDER_WAY") };
    }
    const { drift_secret } = await db.selectFrom("clockwork.settings").select("drift_secret")
      .executeTakeFirstOrThrow();
    const hashed = await hashDifferences(drift_secret, customerId, drifted);
    const about = { customerId, fact, taskId: ctx.task.id };
    let own = unknown !== null && !(await isAsked(db, about, unknown)) ? unknown : null;
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
        if (drifted.length === 0) return [];
        const followUps: FollowUp[] = [];
        if (!(await isLeftToAPerson(trx, fact, customerId))) {
          followUps.push({ step: OWNERS[fact].propagatedBy, data: { customer_id: customerId } });
        }
        const question = fresh.length > 0 && !again ? await againQuestion(trx, about, false) : null;
        if (question) {
          followUps.push({
            step: "drift.look",
            data: { customer_id: customerId, fact, again: true },
            person: question,
          });
        }
        return followUps;
      },
    };
  },
});
