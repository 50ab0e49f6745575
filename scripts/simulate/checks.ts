import { addDays } from "../../src/shared/day.ts";
import type { Customer, Refill } from "./customer.ts";
import { DAY_MS } from "./dice.ts";
import { respond } from "./life.ts";
import { productOf } from "./shop.ts";
import { count, note, type Stage } from "./stage.ts";
import { truthOf, twinsOf } from "./truth.ts";

/** A refill that a prescription renewed is well: covered for so many days longer than its lead time. */
const WELL_DAYS = 13;
/** A campaign may begin so much sooner than its lead time: an early refill or an announced charge moves the dates. */
const SOONER_DAYS = 5;
/** The engine does not ask about so new a subscription: its first prescription is still under way. */
const NEW_DAYS = 4;
/** A campaign may run so long after its end: the day of its news, and a vendor that is out for days. */
const CAMPAIGN_ENDS_DAYS = 7;

const ASKS = new Set(["renewal_due", "renewal_reminder", "renewal_lapsed"]);

/** The checks of a run. All are made from the sandboxes and from the customers' wishes. */
export function makeChecks(stage: Stage) {
  const { world: { db, vendors: { crm, stripe }, now }, breaks, tally, timeZone } = stage;
  let heard = 0;
  /** Campaigns that the CRM runs, by renewal. */
  const campaigns = new Map<number, { customer: Customer; refill: Refill; overSince: Date | null }>();

  async function subscriptionsOf(renewalIds: readonly number[]): Promise<Map<number, string>> {
    if (renewalIds.length === 0) return new Map();
    const rows = await db.selectFrom("tracker.renewals").select(["id", "subscription_id"])
      .where("id", "in", [...renewalIds]).execute();
    return new Map(rows.map((row) => [row.id, row.subscription_id]));
  }

  function begin(customer: Customer, refill: Refill): void {
    refill.asked += 1;
    refill.askedForThis += 1;
    breaks.check(
      customer,
      "never two campaigns for one cycle",
      refill.askedForThis > 1 && `campaign ${refill.askedForThis} of ${refill.subscriptionId}`,
    );
    const { endsAt } = truthOf(stage.world, customer, refill, timeZone, "real");
    const early = endsAt - (productOf(refill.priceId).lead + SOONER_DAYS) * DAY_MS - now().getTime();
    breaks.check(
      customer,
      "nobody is asked before it is time",
      early > 0 && `${(early / DAY_MS).toFixed(1)} days too early`,
    );
    respond(stage, customer, refill);
  }

  /** Another refill of the product takes the cycle over: it is about the prescription that both use. */
  function end(customer: Customer, refill: Refill): void {
    const other = twinsOf(customer, refill).find(({ wish }) => wish === "refill" || wish === "pause");
    if (other) {
      other.asked += refill.asked;
      other.askedForThis += refill.askedForThis;
      for (const campaign of campaigns.values()) if (campaign.refill === refill) campaign.refill = other;
    }
    refill.asked = 0;
    refill.askedForThis = 0;
  }

  function checkCampaigns(nightAt: Date | null): void {
    for (const [renewal, campaign] of campaigns) {
      const { customer, refill } = campaign;
      // `asked` is counted anew when a prescription made the refill well, or it is wanted no more.
      campaign.overSince = refill.asked > 0 || refill.wish === "pause" ? null : campaign.overSince ?? now();
      const isTooLong = campaign.overSince !== null && nightAt !== null &&
        campaign.overSince.getTime() + CAMPAIGN_ENDS_DAYS * DAY_MS <= nightAt.getTime();
      breaks.check(customer, "a campaign ends when its renewal does", isTooLong && `renewal ${renewal}`);
      if (isTooLong) campaigns.delete(renewal);
    }
  }

  function checkRefill(
    customer: Customer,
    refill: Refill,
    nightAt: Date | null,
    peopleAskedAbout: ReadonlySet<Customer>,
  ): void {
    if (refill.wish === "ended" || refill.wish === "end") return end(customer, refill);
    const at = now().getTime();
    const subscription = stripe.state.subscriptions.get(refill.subscriptionId);
    const isPaused = subscription?.status === "paused" || subscription?.pause_collection;
    breaks.check(
      customer,
      "what a customer paused stays paused",
      refill.wish === "pause" && !isPaused && subscription?.status !== "canceled" && refill.subscriptionId,
    );
    const real = truthOf(stage.world, customer, refill, timeZone, "real");
    const { lead } = productOf(refill.priceId);
    // Without a prescription a refill that is well again is one whose dates moved: its campaign goes on.
    const isRenewed = refill.askedForThis === 0 && refill.wish === "refill";
    if (isRenewed && real.endsAt > at + (lead + WELL_DAYS) * DAY_MS) refill.asked = 0;
    if (!real.isWanted || !nightAt || !subscription) return;
    // A change after the night began could not be known in it.
    if (customer.surprisedAt >= nightAt) return;
    if (subscription.created * 1000 > nightAt.getTime() - NEW_DAYS * DAY_MS) return;
    const truth = truthOf(stage.world, customer, refill, timeZone, "on record");
    const isKnown = refill.asked > 0 || peopleAskedAbout.has(customer) ||
      twinsOf(customer, refill).some(({ asked }) => asked > 0);
    // Days of the zone: a change of clocks makes one longer or shorter.
    const mustBeAsked = addDays(new Date(truth.gapAt), -lead, timeZone) <= nightAt;
    const days = ((truth.gapAt - at) / DAY_MS).toFixed(1);
    breaks.check(
      customer,
      "nobody comes near a gap without a contact or an open row for a person",
      mustBeAsked && !isKnown &&
        `${refill.subscriptionId}: ${days} days to the first refill that cannot be filled`,
    );
    const isStuck = subscription.pause_collection && real.isCovered && truth.isCovered &&
      real.gapAt - at > 2 * DAY_MS;
    breaks.check(
      customer,
      "billing goes on when there is a prescription",
      isStuck ? refill.subscriptionId : false,
    );
    const isLapsed = truth.gapAt < nightAt.getTime() && !truth.isCovered;
    if (isLapsed && !subscription.pause_collection) {
      count(tally, "days of billing on without a prescription");
    }
  }

  return {
    /** Checks the CRM's news since the last time: was anybody asked twice, or without need? */
    async hear(): Promise<void> {
      const news = crm.events.slice(heard).filter(({ name }) => name.startsWith("renewal_"));
      heard = crm.events.length;
      const subscriptions = await subscriptionsOf(news.map(({ data }) => Number(data["renewal_id"])));
      for (const { name, data } of news) {
        count(tally, name);
        const renewal = Number(data["renewal_id"]);
        const known = stage.refills.get(subscriptions.get(renewal) ?? "");
        if (!known) throw new Error(`the CRM heard of renewal ${renewal}, which is nobody's`);
        const { customer, refill } = known;
        note(stage, customer, "the CRM hears", `${name} of renewal ${renewal}`);
        if (ASKS.has(name)) {
          breaks.check(
            customer,
            "nobody paused or cancelled is contacted",
            refill.wish !== "refill" &&
              `${name} although the customer wants it to ${refill.wish} since ${refill.wishSince.toISOString()}`,
          );
        }
        if (name === "renewal_due") {
          begin(customer, refill);
          campaigns.set(renewal, { customer, refill, overSince: null });
        }
        if (name === "renewal_renewed") {
          breaks.check(
            customer,
            "renewed means a prescription",
            refill.askedForThis > 0 &&
              `renewal ${renewal}, and none was written or extended since its campaign`,
          );
        }
        if (name === "renewal_renewed" || name === "renewal_cancelled") campaigns.delete(renewal);
      }
    },

    /** Checks every refill at the end of a day. `nightAt`: the begin of the last night that is done in full. */
    examine(nightAt: Date | null, peopleAskedAbout: ReadonlySet<Customer>): void {
      checkCampaigns(nightAt);
      for (const customer of stage.customers) {
        for (const refill of customer.refills) checkRefill(customer, refill, nightAt, peopleAskedAbout);
      }
    },
  };
}
