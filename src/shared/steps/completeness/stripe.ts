import { checkCompleteness, type Feed, type Window } from "../../checks/completeness.ts";
import type { Trx } from "../../db/database.ts";
import { hasTask } from "../../queue/find.ts";
import { type FollowUp, reason } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/** Of an event type without a step nothing would be done: it is not asked for. */
const PREFIX = "stripe.";

/** As many types as Stripe takes in one question. */
const TYPES_AT_ONCE = 20;

/** An event is listed for 30 days. An hour less, so that none drops out while its page waits its turn. */
const STRIPE_KEEPS_DAYS = 30 - 1 / 24;

/** Told once, however often the run that finds it has to begin again. */
async function askAboutGap(trx: Trx, { from, until }: Window): Promise<FollowUp[]> {
  const step = "completeness.invoices";
  const gap = { from: from.toISOString(), until: until.toISOString() };
  if (await hasTask(trx, { step, about: { from: gap.from } })) return [];
  return [{ step, data: gap, person: reason("EVENTS_OUT_OF_REACH", { ...gap, days: 30 }) }];
}

/**
 * Stripe's list of events, for every type that has a step: a new step is caught up on by itself. A list is named by the
 * last type of the one before, so that a step that is deployed between two pages moves no type out of both.
 */
const feed: Feed = {
  step: "completeness.stripe",
  vendor: "stripe",
  keepsDays: STRIPE_KEEPS_DAYS,
  async look(ctx, { from, until }, { list = "", cursor }) {
    const later = ctx.steps.names.filter((name) => name.startsWith(PREFIX))
      .map((name) => name.slice(PREFIX.length)).filter((type) => type > list).sort();
    const types = later.slice(0, TYPES_AT_ONCE);
    const page = await ctx.vendors.stripe.listEvents({ types, since: from, until, cursor: cursor ?? null });
    const nextList = later.length > TYPES_AT_ONCE ? types.at(-1) : undefined;
    return {
      seen: page.entries.length,
      // Its own id tells whether an event was received: taking it in again is nothing new.
      missing: () => Promise.resolve(page.entries),
      next: page.next !== null
        ? { list, cursor: page.next }
        : nextList === undefined
        ? null
        : { list: nextList },
    };
  },
  outOfReach: askAboutGap,
};

export const completenessStripe = defineOwnStep("completeness.stripe", {
  queue: "stripe",
  run: (ctx, data) => checkCompleteness(ctx, data, feed),
});
