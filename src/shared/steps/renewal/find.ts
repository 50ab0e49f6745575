import { countPage, startRun } from "../../checks/runs.ts";
import { defineOwnStep } from "../../queue/step.ts";
import { askAboutRefills, endMissingItems, recordLooks } from "../../renewals/refills.ts";
import { lookAtRefills } from "../../renewals/look.ts";
import { checkMissed, missedSince } from "../../renewals/finder.ts";
import { openRenewals } from "../../renewals/renewals.ts";
import { resumeWhatIsCovered } from "../../renewals/pauses.ts";

/**
 * The finder: one page of Stripe's subscriptions a task, with the prescriptions of its customers in two calls. Records the
 * cover of each refill, and opens renewals. Runs nightly, and whenever a task is added; a later run takes over.
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
      : null;
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
        // False: the page was counted before, or another run took over and goes through the rest.
        if (!(await countPage(trx, runId, page, { seen: looks.length }, next === null))) return followUps;
        if (missed) followUps.push(...await checkMissed(trx, missed));
        if (next !== null) {
          const run = { night: data.night, began_at: beganAt.toISOString(), run_id: runId };
          followUps.push({ step: "renewal.find", data: { ...run, page: page + 1, cursor: next } });
        }
        return followUps;
      },
    };
  },
});
