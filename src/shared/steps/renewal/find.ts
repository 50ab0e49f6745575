import { countPage, startRun } from "../../checks/runs.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";
import { askAboutRefills, endMissingItems, recordLooks } from "../../renewals/refills.ts";
import { lookAtRefills } from "../../renewals/look.ts";
import { missedSince } from "../../renewals/finder.ts";
import { openRenewals } from "../../renewals/renewals.ts";
import { resumeWhatIsCovered } from "../../renewals/pauses.ts";

/**
 * The finder: one page of Stripe's subscriptions a task, with the prescriptions of its customers in two calls. Writes
 * down until when each refill is covered, and opens what must be renewed. Nightly, and whenever a task is added; a run
 * that began later takes over.
 */
export const renewalFind = defineOwnStep("renewal.find", {
  queue: "stripe",
  // Measured (npm run bench): about 90 ms of CPU a page of 100 refills.
  weight: 45,
  async run(ctx, data) {
    const beganAt = data.began_at ? new Date(data.began_at) : ctx.now();
    const { entries, next } = await ctx.vendors.stripe.listSubscriptions({ cursor: data.cursor ?? null });
    const looks = await lookAtRefills(ctx, entries);
    const missed = next === null
      ? await missedSince(ctx.deps.db, beganAt, looks.map((look) => look.subscriptionId))
      : [];
    return {
      kind: "done",
      commit: async (trx) => {
        await recordLooks(trx, looks);
        await endMissingItems(trx, entries.map(({ id }) => id), looks);
        const followUps = await openRenewals(trx, looks, "renewal.find", ctx.now());
        await askAboutRefills(trx, ctx, looks);
        followUps.push(...await resumeWhatIsCovered(trx, entries, looks));
        const runId = data.run_id ??
          await startRun(trx, { work: "renewals", vendor: "stripe", taskId: ctx.task.id });
        const page = data.page ?? 0;
        const count = { seen: looks.length, missing: 0, repaired: 0 };
        // Counted before, or another run took over: that one goes through the rest.
        if (!(await countPage(trx, runId, page, count, next === null))) return followUps;
        followUps.push(...missed);
        if (next !== null) {
          followUps.push(pageAfter(data, { cursor: next, beganAt, runId, page: page + 1 }));
        }
        return followUps;
      },
    };
  },
});

function pageAfter(
  { night }: { night?: string | undefined },
  { cursor, beganAt, runId, page }: { cursor: string; beganAt: Date; runId: number; page: number },
): FollowUp {
  const data = { cursor, began_at: beganAt.toISOString(), run_id: runId, page };
  return { step: "renewal.find", data: { night, ...data } };
}
