import { sql } from "kysely";
import type { Trx } from "../../db/database.ts";
import { dayIn } from "../../day.ts";
import { customerById, keyOf } from "../../registry/customers.ts";
import { Withheld } from "../../queue/halt.ts";
import { Permanent, reason } from "../../queue/reasons.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import { decide } from "../../renewals/decide.ts";
import { lookAtRefills } from "../../renewals/look.ts";
import { endOfCampaign, isOpen, lockRenewal, type Renewal, renewalById } from "../../renewals/renewals.ts";

type RenewalFact = DataOf<"renewal.tell_crm">["fact"];

/** In the ledger. */
const SEND_EVENT = "send event";

/** The CRM ignores a repeat of an event's id for at least this long. */
const REPEAT_IGNORED_HOURS = 72;

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
    try {
      await ctx.once({
        vendor: "crm",
        operation: SEND_EVENT,
        key,
        settleSeconds: 0,
        idempotentForSeconds: REPEAT_IGNORED_HOURS * 3600,
        guard: () =>
          ASKS_SOMETHING.has(fact) ? mayBeAsked(ctx, renewal, personId, fact, timeZone) : Promise.resolve(),
        send: async () => {
          await ctx.vendors.crm.sendEvent({
            personId,
            id: key,
            // Part of the id, so it stays the same however late this is sent; the event itself is news of today.
            at: renewal.created_at,
            tellAt: ctx.now(),
            name: fact,
            data: {
              renewal_id: renewalId,
              due_on: dayIn(renewal.due_on, timeZone),
              ...(reminder === undefined ? {} : { reminder }),
            },
          });
          return null;
        },
      });
    } catch (error) {
      if (!(error instanceof Withheld)) throw error;
      return {
        kind: "cancelled",
        reason: error.why,
        // An earlier try went unanswered: perhaps the CRM heard it after all.
        commit: async (trx) => {
          const current = await lockRenewal(trx, renewalId);
          const isCampaign = fact === "renewal_due" && !isOpen(current) && (await isPerhapsTold(trx, key));
          return isCampaign ? [endOfCampaign(current)] : [];
        },
      };
    }
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
          // Closed while the CRM was told: whoever closed it knew of no campaign to end.
          if (!isOpen(current)) return [endOfCampaign(current)];
        }
        return [];
      },
    };
  },
});

async function isPerhapsTold(trx: Trx, key: string): Promise<boolean> {
  const sent = await trx.selectFrom("clockwork.effects").select("id")
    .where("vendor", "=", "crm").where("operation", "=", SEND_EVENT).where("key", "=", key)
    .where("state", "=", "INTENT").where("sent_at", "is not", null).executeTakeFirst();
  return sent !== undefined;
}

const ASKS_SOMETHING: ReadonlySet<RenewalFact> = new Set([
  "renewal_due",
  "renewal_reminder",
  "renewal_lapsed",
]);

/** Nobody who paused, cancelled or renewed meanwhile is asked for anything; and nobody is asked who hears nothing. */
async function mayBeAsked(
  ctx: StepContext,
  told: Renewal,
  personId: string,
  fact: RenewalFact,
  timeZone: string,
): Promise<void> {
  const renewal = await renewalById(ctx.deps.db, told.id);
  if (!isOpen(renewal)) throw new Withheld(reason("RENEWAL_NOT_NEEDED"));
  const subscription = await ctx.vendors.stripe.getSubscription(renewal.subscription_id);
  const looks = await lookAtRefills(ctx, [subscription], true);
  const look = looks.find((one) => one.subscriptionItemId === renewal.subscription_item_id);
  const { kind } = decide(renewal, look, [], ctx.now(), timeZone);
  if (kind === "put off") throw new Withheld(reason("CUSTOMER_ON_HOLD"));
  // A reminder of what has lapsed meanwhile says less than the customer was told of the lapse.
  if (kind === "close" || (kind === "lapse" && fact === "renewal_reminder")) {
    throw new Withheld(reason("RENEWAL_NOT_NEEDED"));
  }
  await refuseUnreachable(ctx, personId, renewal.customer_id);
}

/** The CRM takes an event for anybody: for somebody it does not know, or cannot write to, nothing follows. */
async function refuseUnreachable(ctx: StepContext, person: string, customer: number): Promise<void> {
  const profile = (await ctx.vendors.crm.readProfiles([person])).get(person);
  if (!profile) throw new Permanent("CRM_PERSON_UNKNOWN", { person, customer });
  if (!profile.email && !profile.phone) throw new Permanent("CRM_PERSON_UNREACHABLE", { person, customer });
}
