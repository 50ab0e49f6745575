import type { Database, Trx } from "../db/database.ts";
import { unlessOpen } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { isPausedForRenewal, PAUSED_FOR_RENEWAL } from "../subscriptions/standing.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import type { Look } from "./look.ts";

/** The renewal that paused a subscription's billing, by what Stripe says; null when none did. */
export function pausedBy({ metadata }: StripeSubscription): number | null {
  const marker = metadata[PAUSED_FOR_RENEWAL] ?? "";
  return /^\d{1,15}$/.test(marker) ? Number(marker) : null;
}

/**
 * A pause of ours outlives its renewal where a person closed that one, or dropped the task that ends the pause. Billing
 * goes on as soon as the refill is covered; a mark that is left of a pause that somebody else ended is taken away, or
 * the customer's next pause would look like ours.
 */
export async function resumeWhatIsCovered(
  trx: Trx,
  subscriptions: readonly StripeSubscription[],
  looks: readonly Look[],
): Promise<FollowUp[]> {
  const followUps: FollowUp[] = [];
  for (const subscription of subscriptions) {
    const renewalId = pausedBy(subscription);
    if (renewalId === null) continue;
    const ofSubscription = looks.filter((look) => look.subscriptionId === subscription.id);
    const isCovered = ofSubscription.every((look) =>
      look.coverage?.kind === "covered" && look.coversNextCharge
    );
    if (isPausedForRenewal(subscription) && !isCovered) continue;
    if (!(await isClosed(trx, renewalId))) continue;
    const data = { renewal_id: renewalId };
    followUps.push(...await unlessOpen(trx, { step: "renewal.resume_billing", data }));
  }
  return followUps;
}

async function isClosed(db: Database | Trx, id: number): Promise<boolean> {
  const closed = await db.selectFrom("tracker.renewals").select("id")
    .where("id", "=", id).where("closed_at", "is not", null).executeTakeFirst();
  return closed !== undefined;
}
