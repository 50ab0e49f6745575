import { sql, type UpdateObject } from "kysely";
import type { Trx } from "../../db/database.ts";
import type { DB } from "../../db/types.ts";
import { releaseOrders } from "../../orders/orders.ts";
import { hasOpenTask, unlessOpen } from "../../queue/open.ts";
import { type FollowUp, reason } from "../../queue/reasons.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { decide, type Decision } from "../../renewals/decide.ts";
import { lookAtRefills } from "../../renewals/look.ts";
import { endMissingItems, recordLooks } from "../../renewals/refills.ts";
import {
  endOfCampaign,
  isOpen,
  lockRenewal,
  type Renewal,
  renewalById,
  wakeRenewalTasks,
} from "../../renewals/renewals.ts";
import { isPausedForRenewal } from "../../subscriptions/standing.ts";
import type { StripeSubscription } from "../../vendors/stripe/client.ts";

/**
 * Advances one renewal: reads the owners anew, and then asks the customer, reminds, lets it lapse, or closes it. Inserted
 * by `clockwork.start_due_renewals()` when its day has come, and by each look that differs. A lapse stays as this task, in
 * front of a person.
 */
export const renewalAdvance = defineOwnStep("renewal.advance", {
  queue: "health",
  async run(ctx, { renewal_id: renewalId }) {
    const renewal = await renewalById(ctx.deps.db, renewalId);
    ctx.about({ customerId: renewal.customer_id });
    if (!isOpen(renewal)) return { kind: "done" };
    const subscription = await ctx.vendors.stripe.getSubscription(renewal.subscription_id);
    const looks = await lookAtRefills(ctx, [subscription], true);
    const look = looks.find((one) => one.subscriptionItemId === renewal.subscription_item_id);
    const { remind_days_before, pharmacy_time_zone } = await ctx.deps.db.selectFrom("clockwork.settings")
      .select(["remind_days_before", "pharmacy_time_zone"]).executeTakeFirstOrThrow();
    const decision = decide(renewal, look, remind_days_before, ctx.now(), pharmacy_time_zone);
    const isForPerson = decision.kind === "lapse" && !(await isAskedElsewhere(ctx, renewalId));
    const commit = async (trx: Trx) => {
      await recordLooks(trx, looks);
      await endMissingItems(trx, [subscription.id], looks);
      const current = await lockRenewal(trx, renewalId);
      if (!isOpen(current)) return [];
      // Another run went on with another refill, whose look is on its way.
      if (current.subscription_item_id !== renewal.subscription_item_id) return [];
      // Decided again from the locked row: another run may have asked or reminded the customer meanwhile.
      const decided = decide(current, look, remind_days_before, ctx.now(), pharmacy_time_zone);
      return await carryOut(trx, current, decided, subscription);
    };
    if (!isForPerson) return { kind: "done", commit };
    const why = reason("RENEWAL_LAPSED", { subscription: renewal.subscription_id });
    return { kind: "stopped", reason: why, commit };
  },
});

/** One row for a person is enough, however often a lapsed renewal is looked at again. */
async function isAskedElsewhere(ctx: StepContext, renewalId: number): Promise<boolean> {
  return await hasOpenTask(ctx.deps.db, {
    step: "renewal.advance",
    about: { renewal_id: renewalId },
    status: "MANUAL_INTERVENTION",
    except: ctx.task.id,
  });
}

async function carryOut(
  trx: Trx,
  renewal: Renewal,
  decision: Decision,
  subscription: StripeSubscription,
): Promise<FollowUp[]> {
  const renewal_id = renewal.id;
  const update = async (values: UpdateObject<DB, "tracker.renewals">) =>
    await trx.updateTable("tracker.renewals").set(values).where("id", "=", renewal_id).execute();
  const tell = async (
    fact: DataOf<"renewal.tell_crm">["fact"],
    reminder?: number,
  ): Promise<FollowUp[]> => {
    const step = "renewal.tell_crm";
    if (await hasOpenTask(trx, { step, about: { renewal_id, fact } })) return [];
    return [{ step, data: { renewal_id, fact, reminder } }];
  };
  if (decision.kind === "put off" || (decision.kind === "close" && decision.state === "CANCELLED")) {
    const other = await otherRefill(trx, renewal, decision.kind === "put off");
    if (other) {
      await update({ ...other, next_on: sql<Date>`clockwork.now()` });
      return [{ step: "renewal.advance", data: { renewal_id } }];
    }
  }
  switch (decision.kind) {
    case "close":
      await update({ state: decision.state, closed_because: decision.because });
      await wakeRenewalTasks(trx, renewal.id);
      await releaseOrders(trx, { customer_id: renewal.customer_id });
      return afterClosing(renewal, decision.state);
    case "put off":
      await update({ next_on: decision.nextOn });
      return [];
    case "lapse": {
      await update({
        ...columnsOf(decision),
        ...(renewal.state === "LAPSED" ? {} : { state: "LAPSED", lapsed_at: sql<Date>`clockwork.now()` }),
      });
      const followUps: FollowUp[] = [];
      if (!isPausedForRenewal(subscription)) {
        followUps.push(...await unlessOpen(trx, { step: "renewal.pause_billing", data: { renewal_id } }));
      }
      if (!renewal.contacted_at) followUps.push(...await tell("renewal_due"));
      else if (renewal.state !== "LAPSED") followUps.push(...await tell("renewal_lapsed"));
      return followUps;
    }
    case "go on": {
      const followUps: FollowUp[] = [];
      const isLapseOver = renewal.state === "LAPSED";
      await update({
        ...columnsOf(decision),
        ...(isLapseOver ? { state: renewal.contacted_at ? "CONTACTED" : "SCHEDULED" } : {}),
      });
      if (isLapseOver) {
        await wakeRenewalTasks(trx, renewal_id);
        followUps.push({ step: "renewal.resume_billing", data: { renewal_id } });
      }
      if (decision.tell === "renewal_reminder") {
        followUps.push(...await tell(decision.tell, renewal.reminders + 1));
      } else if (decision.tell) followUps.push(...await tell(decision.tell));
      return followUps;
    }
  }
}

function columnsOf({ dates, nextOn }: Extract<Decision, { kind: "lapse" | "go on" }>) {
  const { dueOn, startOn, remindersBefore } = dates;
  return { due_on: dueOn, start_on: startOn, next_on: nextOn, reminders_before: remindersBefore };
}

/**
 * Another refill of the customer for the same product: the cycle is about both, so the renewal goes on with the one that
 * is still wanted. Closing it would ask the same customer again.
 * @param isPaused the renewal's own one: it waits, unless the other one does not
 */
async function otherRefill(trx: Trx, renewal: Renewal, isPaused: boolean) {
  const unwanted = isPaused
    ? ["INACTIVE", "ENDING", "PAUSED", "UNKNOWN_STATUS"] as const
    : ["INACTIVE", "ENDING"] as const;
  return await trx
    .selectFrom("tracker.refills")
    .select(["subscription_id", "subscription_item_id"])
    .where("customer_id", "=", renewal.customer_id)
    .where("product_id", "=", renewal.product_id)
    .where("subscription_item_id", "<>", renewal.subscription_item_id)
    .where("finding", "not in", unwanted)
    .orderBy("subscription_item_id")
    .limit(1)
    .executeTakeFirst();
}

function afterClosing(renewal: Renewal, state: "RENEWED" | "CANCELLED"): FollowUp[] {
  const data = { renewal_id: renewal.id };
  // The customer's other refills too: one of them may depend on this renewal.
  const followUps: FollowUp[] = [
    { step: "renewal.check", data: { subscription_id: renewal.subscription_id } },
    { step: "renewal.check", data: { customer_id: renewal.customer_id } },
  ];
  if (renewal.contacted_at) followUps.push(endOfCampaign({ id: renewal.id, state }));
  if (renewal.lapsed_at) followUps.push({ step: "renewal.resume_billing", data });
  return followUps;
}
