import { mustHave } from "../shelf.ts";
import { addCoupon, addTaxRate, type CouponFields } from "./coupons.ts";
import { redeem } from "./discounts.ts";
import type { Account } from "./account.ts";
import { addOneTimePrice, addPrice, archivePrice, type PriceFields } from "./prices.ts";
import { update } from "./changes.ts";

/** The acts on what is charged: prices, coupons, taxes. Part of the sandbox's acts. */
export function makePriceActions(account: Account) {
  const { state } = account;
  return {
    addPrice: (fields: PriceFields) => addPrice(account, fields),
    /** A price for one payment. */
    addOneTimePrice: (fields: { id: string; amount: number }) => addOneTimePrice(account, fields),
    /** No subscription can get the price any more. Those that have it keep it. */
    archivePrice: (priceId: string) => archivePrice(account, mustHave(state.prices, priceId)),
    addCoupon: (fields: CouponFields) => addCoupon(account, fields),
    addTaxRate: (fields: { id: string; percentage: number; inclusive: boolean }) =>
      addTaxRate(account, fields),
    /** Redeems coupons for the next invoices, one after the other, in place of those before. */
    discount(subscriptionId: string, couponIds: string[]) {
      const subscription = mustHave(state.subscriptions, subscriptionId);
      const { id, customer } = subscription;
      const discounts = couponIds.map((coupon) => redeem(state, coupon, { subscription: id, customer }).id);
      return update(account, subscription, { discounts });
    },
    /** The tax of the next invoices. */
    tax(subscriptionId: string, taxRateIds: string[]) {
      const rates = taxRateIds.map((id) => mustHave(state.taxRates, id));
      return update(account, mustHave(state.subscriptions, subscriptionId), { default_tax_rates: rates });
    },
  };
}
