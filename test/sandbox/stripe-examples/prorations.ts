import type { Example } from "./example.ts";
import { day, seconds, subscriber } from "./subscriber.ts";

const PRORATIONS = {
  title: "Prorations",
  url: "https://docs.stripe.com/billing/subscriptions/prorations",
};
const UPDATE = { title: "Update a subscription", url: "https://docs.stripe.com/api/subscriptions/update" };
const CHANGE_PRICE = {
  title: "Change the price of existing subscriptions",
  url: "https://docs.stripe.com/billing/subscriptions/change-price",
};

/** 10 in April, 20 without prorations on the 11th, and 10 again on the 21st, billed at once. */
const upAndDown = (mode: "classic" | "flexible"): Example["play"] => (stripe) => {
  const one = subscriber(stripe, "2027-04-01T00:00:00Z", [1000, 2000], {
    mode,
    items: [{ price: "price_0_1000", quantity: 1 }],
  });
  const first = one.latest()?.total;
  one.goTo("2027-04-11T00:00:00Z");
  const [ten = "", twenty = ""] = one.priceIds;
  stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: twenty, proration: "none" });
  const unchanged = one.invoices().length === 1;
  one.goTo("2027-04-21T00:00:00Z");
  stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: ten, proration: "always_invoice" });
  return { first, unchanged, lines: one.amounts(), total: one.latest()?.total };
};

/** Items of 10 and 20 with a coupon of 5; the one of 10 goes after half of February. */
const coupon = (mode: "classic" | "flexible"): Example["play"] => (stripe) => {
  stripe.sandbox.addCoupon({ id: "five_off", amountOff: 500, duration: "forever" });
  const one = subscriber(stripe, "2027-02-01T00:00:00Z", [1000, 2000], { mode, couponIds: ["five_off"] });
  const total = one.latest()?.total;
  const discounts = one.latest()?.lines.data.map((line) => line.discount_amounts[0]?.amount);
  one.goTo("2027-02-15T00:00:00Z");
  stripe.sandbox.removeItem(one.id, one.item());
  return { total, discounts, credit: one.pending() };
};

export const PRORATION_EXAMPLES: readonly Example[] = [
  {
    ...PRORATIONS,
    says: "from 10 a month to 20 half through the period: 5 back, 10 more, pending until the next invoice",
    expected: { pending: [-500, 1000], next: [-500, 1000, 2000] },
    play(stripe) {
      const one = subscriber(stripe, "2027-04-01T00:00:00Z", [1000, 2000], {
        items: [{ price: "price_0_1000", quantity: 1 }],
      });
      one.goTo("2027-04-16T00:00:00Z");
      stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_2000" });
      const pending = one.pending();
      one.goTo("2027-05-01T00:00:00Z");
      return { pending, next: one.amounts(stripe.sandbox.renew(one.id)) };
    },
  },
  {
    ...PRORATIONS,
    says: "the preview of a switch from 10 to 32.52 on 1 September 2020, to the second: 36.27 in all",
    expected: {
      lines: [-166, 541, 3252],
      periods: [[1598982148, 1599427688], [1598982148, 1599427688], [1599427688, 1602019688]],
      discountable: [false, false, true],
      total: 3627,
    },
    play(stripe) {
      const one = subscriber(
        stripe,
        new Date((1599427688 - 31 * 86_400) * 1000).toISOString(),
        [1000, 3252],
        {
          items: [{ price: "price_0_1000", quantity: 1 }],
        },
      );
      one.goTo(new Date(1598982148 * 1000).toISOString());
      stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_3252" });
      one.goTo(new Date(1599427688 * 1000).toISOString());
      const { lines, total } = stripe.sandbox.renew(one.id);
      return {
        lines: lines.data.map(({ amount }) => amount),
        periods: lines.data.map(({ period }) => [period.start, period.end]),
        discountable: lines.data.map(({ discountable }) => discountable),
        total,
      };
    },
  },
  {
    ...PRORATIONS,
    says: "classic gives back a price that was never paid: 6.67 back, 3.33 more",
    expected: { first: 1000, unchanged: true, lines: [-667, 333], total: -334 },
    play: upAndDown("classic"),
  },
  {
    ...PRORATIONS,
    says: "flexible gives back what was paid: 3.33 back, 3.33 more",
    expected: { first: 1000, unchanged: true, lines: [-333, 333], total: 0 },
    play: upAndDown("flexible"),
  },
  {
    ...PRORATIONS,
    says: "classic takes the whole coupon of 5 off the item of 10 that goes: 2.50 back",
    expected: { total: 2500, discounts: [166, 334], credit: [-250] },
    play: coupon("classic"),
  },
  {
    ...PRORATIONS,
    says: "flexible takes the item's own part of the coupon, 1.66, off what it gives back: 4.17",
    expected: { total: 2500, discounts: [166, 334], credit: [-417] },
    play: coupon("flexible"),
  },
  {
    ...UPDATE,
    says: "100 on 1 May, 200 from the middle of the month: 250 on 1 June",
    expected: { may: 10_000, june: 25_000 },
    play(stripe) {
      const one = subscriber(stripe, "2027-05-01T00:00:00Z", [10_000, 20_000], {
        items: [{ price: "price_0_10000", quantity: 1 }],
      });
      const may = one.latest()?.total;
      // The page says the 15th and half of the month; this is half of it.
      one.goTo("2027-05-16T12:00:00Z");
      stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_20000" });
      one.goTo("2027-06-01T00:00:00Z");
      return { may, june: stripe.sandbox.renew(one.id).total };
    },
  },
  {
    ...CHANGE_PRICE,
    says: "from one monthly price to another the billing dates stay; to a yearly one they move to the day",
    expected: { monthly: "2027-02-01", yearly: "2028-01-15" },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [1000, 2000], {
        mode: "classic",
        items: [{ price: "price_0_1000", quantity: 1 }],
      });
      stripe.sandbox.addPrice({ id: "price_year", interval: "year", intervalCount: 1, amount: 10_000 });
      one.goTo("2027-01-15T00:00:00Z");
      stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_2000" });
      const monthly = day(one.subscription.items.data[0]?.current_period_end);
      stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_year" });
      return { monthly, yearly: day(one.subscription.items.data[0]?.current_period_end) };
    },
  },
  {
    ...CHANGE_PRICE,
    says: "from a free price to a paid one: an invoice, and a period from the day of the change",
    expected: { total: 2000, anchor: "2027-01-15", period: "2027-01-15 to 2027-02-15" },
    play(stripe) {
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [0, 2000], {
        mode: "classic",
        items: [{ price: "price_0_0", quantity: 1 }],
      });
      one.goTo("2027-01-15T00:00:00Z");
      stripe.sandbox.changePrice(one.id, { itemId: one.item(), priceId: "price_1_2000" });
      const { billing_cycle_anchor } = one.subscription;
      return { total: one.latest()?.total, anchor: day(billing_cycle_anchor), period: one.periods()[0] };
    },
  },
  {
    title: "Set product or subscription quantities",
    url: "https://docs.stripe.com/billing/subscriptions/quantities",
    says: "two units at 9.99 a month are 19.98",
    expected: { total: 1998 },
    play(stripe) {
      stripe.prices(999);
      const one = subscriber(stripe, "2027-01-01T00:00:00Z", [], {
        items: [{ price: "price_0_999", quantity: 2 }],
      });
      return { total: one.latest()?.total };
    },
  },
  {
    title: "Backdate subscriptions",
    url: "https://docs.stripe.com/billing/subscriptions/backdating",
    says: "proration_date is refused before the running period (a price of our own)",
    expected: { refused: true, pending: [-500, 1000] },
    play(stripe) {
      const one = subscriber(stripe, "2027-04-01T00:00:00Z", [1000, 2000], {
        items: [{ price: "price_0_1000", quantity: 1 }],
      });
      one.goTo("2027-04-21T00:00:00Z");
      const move = (date: string) =>
        stripe.sandbox.changePrice(one.id, {
          itemId: one.item(),
          priceId: "price_1_2000",
          date: seconds(date),
        });
      let refused = false;
      try {
        move("2027-03-31T00:00:00Z");
      } catch {
        refused = true;
      }
      move("2027-04-16T00:00:00Z");
      return { refused, pending: one.pending() };
    },
  },
];
