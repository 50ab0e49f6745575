import { checkCompleteness, type Feed, type Window } from "../../checks/completeness.ts";
import type { Trx } from "../../db/database.ts";
import { hasTask } from "../../queue/find.ts";
import { type FollowUp, reason } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

const PREFIX = "stripe.";

/** Stripe's limit for one call. */
const TYPES_AT_ONCE = 20;

/** Stripe lists an event for 30 days. An hour less, so that no event drops out while its page waits its turn. */
const STRIPE_KEEPS_DAYS = 30 - 1 / 24;

/** Asked once, even if the run that finds the gap begins again. */
async function askAboutGap(trx: Trx, { from, until }: Window): Promise<FollowUp[]> {
  const step = "completeness.invoices";
  const gap = { from: from.toISOString(), until: until.toISOString() };
  if (await hasTask(trx, { step, about: { from: gap.from } })) return [];
  return [{ step, data: gap, person: reason("EVENTS_OUT_OF_REACH", { ...gap, days: 30 }) }];
}

/**
 * Stripe's list of events, for every type that has a step; the next check catches up on a new step. The last type of the
 * list before names a list, so that a step deployed between two pages moves no type out of both.
 */
const feed: Feed = {
  step: "completeness.stripe",
  vendor: "stripe",
  keepsDays: STRIPE_KEEPS_DAYS,
  async read(ctx, { from, until }, { list = "", cursor }) {
    const later = ctx.steps.names.filter((name) => name.startsWith(PREFIX))
      .map((name) => name.slice(PREFIX.length)).filter((type) => type > list).sort();
    const types = later.slice(0, TYPES_AT_ONCE);
    const { entries, next } = await ctx.vendors.stripe.listEvents({
      types,
      since: from,
      until,
      cursor: cursor ?? null,
    });
    const nextList = later.length > TYPES_AT_ONCE ? types.at(-1) : undefined;
    const page = { seen: entries.length, missing: () => entries };
    if (next !== null) return { ...page, next: { list, cursor: next } };
    return { ...page, next: nextList === undefined ? null : { list: nextList } };
  },
  outOfReach: askAboutGap,
};

export const completenessStripe = defineOwnStep("completeness.stripe", {
  queue: "stripe",
  run: (ctx, data) => checkCompleteness(ctx, data, feed),
});
