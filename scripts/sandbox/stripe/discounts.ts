import { need } from "./errors.ts";
import type { Reduction } from "./invoice-amounts.ts";
import type { Discount } from "./money-objects.ts";
import type { Subscription } from "./objects.ts";
import { periodEnd } from "./periods.ts";
import type { StripeState } from "./state.ts";

/** Redeems a coupon. The caller puts the discount on its subscription. */
export function redeem(
  state: StripeState,
  couponId: string,
  { subscription, customer }: { subscription: string; customer: string },
): Discount {
  const coupon = need(state.coupons, "coupon", couponId, "discounts[0][coupon]");
  const start = state.nowSeconds();
  const { duration_in_months: months } = coupon;
  coupon.times_redeemed += 1;
  return state.discounts.add({
    id: state.newId("di_1", 23),
    object: "discount",
    checkout_session: null,
    customer,
    end: months === null ? null : periodEnd(start, start, "month", months),
    invoice: null,
    invoice_item: null,
    promotion_code: null,
    source: { coupon: coupon.id, type: "coupon" },
    start,
    subscription,
    subscription_item: null,
  });
}

/** The discounts of the subscription that still apply, in their order. */
export function currentDiscounts(state: StripeState, { discounts }: Subscription): Discount[] {
  const now = state.nowSeconds();
  return discounts.flatMap((id) => state.discounts.get(id) ?? []).filter(({ end }) =>
    end === null || now < end
  );
}

export function reductionOf(state: StripeState, { id, source }: Discount): Reduction {
  const coupon = state.coupons.get(source.coupon);
  return { discount: id, percentOff: coupon?.percent_off ?? null, amountOff: coupon?.amount_off ?? null };
}

/** A coupon for one invoice is used up once that invoice is finalized. The invoice goes on to show it. */
export function useUp(state: StripeState, subscription: Subscription): void {
  subscription.discounts = currentDiscounts(state, subscription)
    .filter(({ source }) => state.coupons.get(source.coupon)?.duration !== "once")
    .map(({ id }) => id);
}
