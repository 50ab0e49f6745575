import { sql } from "kysely";
import { dayIn } from "../../day.ts";
import { customerById, keyOf } from "../../registry/customers.ts";
import { Permanent, reason, type ReasonCode } from "../../queue/reasons.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, Halt, type StepContext } from "../../queue/step.ts";
import { mayBeTold, readProfile, tellOnce } from "../../queue/crm.ts";
import { decide } from "../../renewals/decide.ts";
import { lookAtRefills } from "../../renewals/look.ts";
import { endOfCampaign, isOpen, lockRenewal, renewalById } from "../../renewals/renewals.ts";

type RenewalFact = DataOf<"renewal.tell_crm">["fact"];

/** These facts ask the customer for something. */
const QUESTIONS: readonly RenewalFact[] = ["renewal_due", "renewal_reminder", "renewal_lapsed"];

/**
 * Tells the CRM one fact of one renewal, once: `renewal_due` starts the campaign, `renewal_renewed` and
 * `renewal_cancelled` stop it. No drug name. The owners are asked again right before a customer is written to.
 */
export const renewalTellCrm = defineOwnStep("renewal.tell_crm", {
  queue: "crm",
  async run(ctx, { renewal_id: renewalId, fact, reminder }) {
    const renewal = await renewalById(ctx.deps.db, renewalId);
    ctx.about({ customerId: renewal.customer_id });
    const personId = keyOf(await customerById(ctx.deps.db, renewal.customer_id), "crm_person_id");
    const timeZone = await pharmacyZone(ctx.deps.db);
    const key = `renewal:${renewalId}:${fact}${reminder === undefined ? "" : `:${reminder}`}`;
    const event = () => ({
      personId,
      name: fact,
      // Part of the event's id, so it never changes. `tellAt` is the day of the send.
      at: renewal.created_at,
      tellAt: ctx.now(),
      data: {
        renewal_id: renewalId,
        due_on: dayIn(renewal.due_on, timeZone),
        ...(reminder === undefined ? {} : { reminder }),
      },
    });
    await tellOnce(ctx, key, event, async () => {
      if (!QUESTIONS.includes(fact)) return;
      const why = await whyNotAsked(ctx, renewalId, fact, timeZone);
      if (why) throw withheld(renewalId, fact, key, why);
      await refuseUnreachable(ctx, personId, renewal.customer_id);
    });
    return {
      kind: "done",
      commit: async (trx) => {
        const current = await lockRenewal(trx, renewalId);
        if (fact === "renewal_reminder" && current.reminders < (reminder ?? 0)) {
          await trx.updateTable("tracker.renewals").set({ reminders: reminder ?? 0 })
            .where("id", "=", renewalId).execute();
        }
        if (fact === "renewal_due" && !current.contacted_at) {
          await trx.updateTable("tracker.renewals")
            .set({
              contacted_at: sql`clockwork.now()`,
              ...(current.state === "SCHEDULED" ? { state: "CONTACTED" } : {}),
              // Its reminders are counted from now on.
              ...(isOpen(current) ? { next_on: sql`clockwork.now()` } : {}),
            })
            .where("id", "=", renewalId).execute();
          // It was closed during the send, when there was no campaign to end yet.
          if (!isOpen(current)) return [endOfCampaign(current)];
        }
        return [];
      },
    };
  },
});

/** Ends the task without telling. An earlier send without a reply may have started the campaign of a closed renewal. */
function withheld(renewalId: number, fact: RenewalFact, key: string, why: ReasonCode): Halt {
  return new Halt({
    kind: "cancelled",
    reason: reason(why),
    commit: async (trx) => {
      const current = await lockRenewal(trx, renewalId);
      const isCampaign = fact === "renewal_due" && !isOpen(current) && (await mayBeTold(trx, key));
      return isCampaign ? [endOfCampaign(current)] : [];
    },
  });
}

/** A customer who paused, cancelled or renewed meanwhile is asked for nothing. */
async function whyNotAsked(
  ctx: StepContext,
  renewalId: number,
  fact: RenewalFact,
  timeZone: string,
): Promise<ReasonCode | null> {
  const renewal = await renewalById(ctx.deps.db, renewalId);
  if (!isOpen(renewal)) return "RENEWAL_NOT_NEEDED";
  const subscription = await ctx.vendors.stripe.getSubscription(renewal.subscription_id);
  const looks = await lookAtRefills(ctx, [subscription], true);
  const look = looks.find((one) => one.subscriptionItemId === renewal.subscription_item_id);
  const { remind_days_before } = await ctx.deps.db.selectFrom("clockwork.settings")
    .select("remind_days_before").executeTakeFirstOrThrow();
  const decision = decide(renewal, look, remind_days_before, ctx.now(), timeZone);
  if (decision.kind === "put off") return "CUSTOMER_ON_HOLD";
  const isStillDue = decision.kind === "lapse"
    // After a lapse the customer hears of the lapse, which says more than a reminder.
    ? fact !== "renewal_reminder"
    : decision.kind === "go on" && decision.tell === fact;
  return isStillDue ? null : "RENEWAL_NOT_NEEDED";
}

/** The CRM takes an event for anybody, and does nothing for a person that it does not know or cannot write to. */
async function refuseUnreachable(ctx: StepContext, person: string, customer: number): Promise<void> {
  const { email, phone } = await readProfile(ctx, person, customer);
  if (!email && !phone) throw new Permanent("CRM_PERSON_UNREACHABLE", { person, customer });
}
