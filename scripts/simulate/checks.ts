import type { Customer, Refill } from "./customer.ts";
import { DAY_MS } from "./dice.ts";
import { answer } from "./life.ts";
import { productOf } from "./shop.ts";
import { count, note, type Stage } from "./stage.ts";
import { truthOf, twinsOf } from "./truth.ts";

/** A campaign may begin again when the refill was well: so many days longer than its lead time. */
const WELL_DAYS = 13;
/** How much earlier than its lead time a campaign may begin: dates move by an early refill or a charge announced. */
const SOONER_DAYS = 5;
/** A subscription so new is not asked about by the engine: its first prescription is still under way. */
const NEW_DAYS = 4;

/** A campaign may run so long after what ended it: the day of its news, and a vendor that is out for days. */
const CAMPAIGN_ENDS_DAYS = 7;

const ASKS = new Set(["renewal_due", "renewal_reminder", "renewal_lapsed"]);

/** The checks of a run. All are made from the sandboxes and from what the customers want. */
export interface Checks {
  /** What the CRM heard since the last time: was anybody asked who should not be, or twice? */
  hear(): Promise<void>;
  /** Every refill at the end of a day. `nightAt`: when the last night began whose work was done in full. */
  look(nightAt: Date | null, peopleAskedAbout: ReadonlySet<Customer>): void;
}

export function makeChecks(stage: Stage): Checks {
  const { world: { db, vendors: { crm, stripe }, now }, breaks, tally } = stage;
  let heard = 0;
  /** Campaigns that the CRM runs, by renewal. */
  const campaigns = new Map<number, { customer: Customer; refill: Refill; overSince: Date | null }>();

  async function subscriptionsOf(renewalIds: readonly number[]): Promise<Map<number, string>> {
    if (renewalIds.length === 0) return new Map();
    const rows = await db.selectFrom("tracker.renewals").select(["id", "subscription_id"])
      .where("id", "in", [...renewalIds]).execute();
    return new Map(rows.map((row) => [row.id, row.subscription_id]));
  }

  function mayBeAsked(customer: Customer, refill: Refill, name: string): void {
    breaks.looked("nobody paused or cancelled is contacted");
    if (refill.wish !== "refill") {
      breaks.add(
        customer,
        "nobody paused or cancelled is contacted",
        `${name} although the customer wants it to ${refill.wish} since ${refill.wishSince.toISOString()}`,
      );
    }
  }

  function started(customer: Customer, refill: Refill): void {
    refill.asked += 1;
    refill.askedForThis += 1;
    breaks.looked("never two campaigns for one cycle");
    breaks.looked("nobody is asked before it is time");
    if (refill.askedForThis > 1) {
      breaks.add(
        customer,
        "never two campaigns for one cycle",
        `campaign ${refill.askedForThis} of ${refill.subscriptionId}`,
      );
    }
    const truth = truthOf(stage.world, customer, refill, stage.timeZone, "real");
    const early = truth.endsAt - (productOf(refill.priceId).lead + SOONER_DAYS) * DAY_MS - now().getTime();
    if (early > 0) {
      breaks.add(
        customer,
        "nobody is asked before it is time",
        `${(early / DAY_MS).toFixed(1)} days too early`,
      );
    }
    answer(stage, customer, refill);
  }

  return {
    async hear() {
      const news = crm.events.slice(heard).filter(({ name }) => name.startsWith("renewal_"));
      heard = crm.events.length;
      const subscriptions = await subscriptionsOf(news.map(({ data }) => Number(data["renewal_id"])));
      for (const { name, data } of news) {
        count(tally, name);
        const known = stage.refills.get(subscriptions.get(Number(data["renewal_id"])) ?? "");
        if (!known) {
          throw new Error(`the CRM heard of renewal ${String(data["renewal_id"])}, which is nobody's`);
        }
        const { customer, refill } = known;
        note(stage, customer, "the CRM hears", `${name} of renewal ${String(data["renewal_id"])}`);
        if (ASKS.has(name)) mayBeAsked(customer, refill, name);
        if (name === "renewal_due") {
          started(customer, refill);
          campaigns.set(Number(data["renewal_id"]), { customer, refill, overSince: null });
        }
        if (name === "renewal_renewed" || name === "renewal_cancelled") {
          campaigns.delete(Number(data["renewal_id"]));
        }
      }
    },

    look(nightAt, peopleAskedAbout) {
      const at = now().getTime();
      for (const [renewal, campaign] of campaigns) {
        breaks.looked("a campaign ends when its renewal does");
        const { customer, refill } = campaign;
        // `asked` is counted anew when the refill is well, or is wanted no more.
        campaign.overSince = refill.asked > 0 || refill.wish === "pause" ? null : campaign.overSince ?? now();
        if (!campaign.overSince || !nightAt) continue;
        if (campaign.overSince.getTime() + CAMPAIGN_ENDS_DAYS * DAY_MS > nightAt.getTime()) continue;
        campaigns.delete(renewal);
        breaks.add(customer, "a campaign ends when its renewal does", `renewal ${renewal}`);
      }
      for (const customer of stage.customers) {
        for (const refill of customer.refills) {
          if (refill.wish === "ended" || refill.wish === "end") {
            refill.asked = 0;
            refill.askedForThis = 0;
            continue;
          }
          const subscription = stripe.state.subscriptions.get(refill.subscriptionId);
          breaks.looked("what a customer paused stays paused");
          const isPaused = subscription?.status === "paused" || subscription?.pause_collection;
          if (refill.wish === "pause" && !isPaused && subscription?.status !== "canceled") {
            breaks.add(customer, "what a customer paused stays paused", refill.subscriptionId);
          }
          const real = truthOf(stage.world, customer, refill, stage.timeZone, "real");
          const { lead } = productOf(refill.priceId);
          if (real.endsAt > at + (lead + WELL_DAYS) * DAY_MS) {
            refill.asked = 0;
            refill.askedForThis = 0;
          }
          if (!real.isWanted || !nightAt || !subscription) continue;
          // What changed after the night began could not be known in it.
          if (customer.surprisedAt >= nightAt) continue;
          if (subscription.created * 1000 > nightAt.getTime() - NEW_DAYS * DAY_MS) continue;
          const truth = truthOf(stage.world, customer, refill, stage.timeZone, "on record");
          breaks.looked("nobody comes near a gap without a contact or an open row for a person");
          breaks.looked("billing goes on when there is a prescription");
          const isKnown = refill.asked > 0 || peopleAskedAbout.has(customer) ||
            twinsOf(customer, refill).some(({ asked }) => asked > 0);
          const mustBeAsked = truth.gapAt - lead * DAY_MS <= nightAt.getTime();
          if (mustBeAsked && !isKnown) {
            const days = ((truth.gapAt - at) / DAY_MS).toFixed(1);
            breaks.add(
              customer,
              "nobody comes near a gap without a contact or an open row for a person",
              `${refill.subscriptionId}: ${days} days to the first refill that cannot be filled`,
            );
          }
          const isStuck = subscription.pause_collection && real.isCovered && truth.isCovered &&
            real.gapAt - at > 2 * DAY_MS;
          if (isStuck) {
            breaks.add(customer, "billing goes on when there is a prescription", refill.subscriptionId);
          }
          const isLapsed = truth.gapAt < nightAt.getTime() && !truth.isCovered;
          if (isLapsed && !subscription.pause_collection) {
            count(tally, "days of billing on without a prescription");
          }
        }
      }
    },
  };
}
