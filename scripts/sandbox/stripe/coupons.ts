import type { Account } from "./account.ts";
import type { Coupon } from "./money-objects.ts";
import type { TaxRate } from "./objects.ts";

export interface CouponFields {
  id: string;
  /** `percentOff` of 100, or `amountOff` in cents. */
  percentOff?: number;
  amountOff?: number;
  duration: "once" | "repeating" | "forever";
  /** Of a repeating one. */
  months?: number;
}

/** Sends `coupon.created`. */
export function addCoupon({ state, events }: Account, fields: CouponFields): Coupon {
  const { id, percentOff = null, amountOff = null, duration, months = null } = fields;
  const coupon = state.coupons.add({
    ...state.fresh("coupon", "", 0),
    id,
    amount_off: amountOff,
    currency: amountOff === null ? null : "usd",
    duration,
    duration_in_months: months,
    name: null,
    percent_off: percentOff,
    times_redeemed: 0,
    valid: true,
  });
  events.emit("coupon.created", coupon);
  return coupon;
}

/** `percentage` of 100, on top of the price or within it. */
export function addTaxRate(
  { state, events }: Account,
  { id, percentage, inclusive }: { id: string; percentage: number; inclusive: boolean },
): TaxRate {
  const rate = state.taxRates.add({
    ...state.fresh("tax_rate", "", 0),
    id,
    active: true,
    description: null,
    display_name: "Tax",
    effective_percentage: percentage,
    inclusive,
    percentage,
  });
  events.emit("tax_rate.created", rate);
  return rate;
}
