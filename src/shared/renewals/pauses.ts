import type { Trx } from "../db/database.ts";
import { unlessOpen } from "../queue/open.ts";
import type { FollowUp } from "../queue/reasons.ts";
import { isPausedForRenewal, PAUSED_FOR_RENEWAL } from "../subscriptions/standing.ts";
import type { StripeSubscription } from "../vendors/stripe/client.ts";
import type { Look } from "./look.ts";

/** The number of the renewal in the subscription's metadata; null when no renewal paused its billing. */
export function pausedBy({ metadata }: StripeSubscription): number | null {
  const mark = metadata[PAUSED_FOR_RENEWAL] ?? "";
  return /^\d{1,15}$/.test(mark) ? Number(mark) : null;
}

/**
 * Ends our pauses that outlived their lapse: a person closed the renewal, or cancelled `renewal.resume_billing`.
 * Billing goes on once the refill is covered. A mark without a pause is taken away, or the customer's next pause would
 * look like ours.
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
    const isCovered = looks.filter((look) => look.subscriptionId === subscription.id)
      .every((look) => look.coverage?.kind === "covered" && look.coversNextCharge);
    if (isPausedForRenewal(subscription) && !isCovered) continue;
    const over = await trx.selectFrom("tracker.renewals").select("id")
      .where("id", "=", renewalId).where("state", "<>", "LAPSED").executeTakeFirst();
    if (!over) continue;
    const data = { renewal_id: renewalId };
    followUps.push(...await unlessOpen(trx, { step: "renewal.resume_billing", data }));
  }
  return followUps;
}
