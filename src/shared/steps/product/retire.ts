import { judgePrices, judgeSubscription } from "../../products/judge.ts";
import { recordPage, retirementById } from "../../products/pass.ts";
import { Permanent } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * Judges one page of a retired price's subscribers: a move for each at its turn, or the finding against it. Inserted by
 * `npm run product:retire`. The pass ends when the registry no longer says that the price is replaced.
 */
export const productRetire = defineOwnStep("product.retire", {
  queue: "stripe",
  async run(ctx, { retirement_id: retirementId, pass, page, cursor }) {
    const retirement = await retirementById(ctx.deps.db, retirementId);
    if (retirement.pass !== pass || retirement.page !== page || retirement.isListed) return { kind: "done" };
    const listedAt = ctx.now();
    const at = { retirementId, pass, page, listedAt };
    if (!retirement.isOn) {
      return { kind: "done", commit: (trx) => recordPage(trx, { ...at, listed: [], next: null }) };
    }
    const { stripe } = ctx.vendors;
    const { from, to } = retirement;
    const [oldPrice, newPrice] = [await stripe.getPrice(from), await stripe.getPrice(to)];
    if (!newPrice.active) throw new Permanent("PRICE_NOT_SOLD", { price: to });
    const ofPrices = judgePrices(oldPrice, newPrice);
    const { entries, next } = await stripe.listSubscriptions({ priceId: from, cursor: cursor ?? null });
    const listed = entries.flatMap((subscription) =>
      judgeSubscription(subscription, { from, to }).map(({ item, finding }) => ({
        subscriptionId: subscription.id,
        itemId: item.id,
        finding: ofPrices ?? finding,
      }))
    );
    return { kind: "done", commit: (trx) => recordPage(trx, { ...at, listed, next }) };
  },
});
