import { judgePrices, judgeSubscription } from "../../products/judge.ts";
import { recordPage, retirementById } from "../../products/pass.ts";
import { Permanent } from "../../queue/reasons.ts";
import { defineOwnStep } from "../../queue/step.ts";

/**
 * One page of a retired price's subscribers: who is moved, each at its turn, and who is not and why. Made by
 * `npm run product:retire`. When the registry no longer says that the price is replaced, the pass ends.
 */
export const productRetire = defineOwnStep("product.retire", {
  queue: "stripe",
  async run(ctx, { retirement_id: retirementId, pass, page, cursor }) {
    const retirement = await retirementById(ctx.deps.db, retirementId);
    if (retirement.pass !== pass || retirement.page !== page || retirement.isListed) return { kind: "done" };
    const listedAt = ctx.now();
    if (!retirement.isOn) {
      const nobody = { listed: [], next: null };
      return {
        kind: "done",
        commit: (trx) => recordPage(trx, { retirementId, pass, page, listedAt, ...nobody }),
      };
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
    return {
      kind: "done",
      commit: (trx) => recordPage(trx, { retirementId, pass, page, listed, listedAt, next }),
    };
  },
});
