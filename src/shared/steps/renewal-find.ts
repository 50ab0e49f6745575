import { z } from "zod";
import { askAboutRefills, recordLooks, retireMissingItems } from "../renewals/refills.ts";
import { lookAtRefills } from "../renewals/look.ts";
import { openRenewals } from "../renewals/renewals.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { defineStep, type StepContext } from "../queue/step.ts";

/** Refills whose subscription did not turn up in a run are asked about one by one, so many at most a page. */
const MISSED_AT_ONCE = 500;

/**
 * The finder: one page of Stripe's subscriptions a task, with the prescriptions of its customers in two calls. Writes
 * down until when each refill is covered, and opens what must be renewed. Nightly, and whenever a task is added.
 */
export const renewalFind = defineStep({
  handles: ["renewal.find"],
  queue: "stripe",
  data: z.strictObject({
    /** The night it belongs to; absent on demand. */
    night: z.string().optional(),
    cursor: z.string().optional(),
    /** When the run began: what was not looked at since then did not turn up. */
    began_at: z.iso.datetime().optional(),
  }),
  async run(ctx, { night, cursor, began_at: begun }) {
    const beganAt = begun ? new Date(begun) : ctx.now();
    const page = await ctx.vendors.stripe.listSubscriptions({ cursor: cursor ?? null });
    const looks = await lookAtRefills(ctx, page.entries);
    const missed = page.next === null
      ? await missedSince(ctx, beganAt, looks.map((look) => look.subscriptionId))
      : [];
    return {
      kind: "done",
      commit: async (trx) => {
        await recordLooks(trx, looks);
        await retireMissingItems(trx, page.entries.map(({ id }) => id), looks);
        const followUps = await openRenewals(trx, looks, "renewal.find", ctx.now());
        followUps.push(...await askAboutRefills(trx, looks, ctx.now(), ctx.task.id));
        followUps.push(...missed);
        if (page.next !== null) {
          followUps.push({
            step: "renewal.find",
            data: { ...(night ? { night } : {}), cursor: page.next, began_at: beganAt.toISOString() },
          });
        }
        return followUps;
      },
    };
  },
});

async function missedSince(ctx: StepContext, beganAt: Date, seenNow: readonly string[]): Promise<FollowUp[]> {
  const rows = await ctx.deps.db
    .selectFrom("tracker.refills")
    .select("subscription_id")
    .distinct()
    .where("looked_at", "<", beganAt)
    .where("finding", "<>", "INACTIVE")
    .limit(MISSED_AT_ONCE)
    .execute();
  const seen = new Set(seenNow);
  return rows.filter((row) => !seen.has(row.subscription_id)).map((row) => ({
    step: "renewal.check",
    data: { subscription_id: row.subscription_id },
  }));
}
