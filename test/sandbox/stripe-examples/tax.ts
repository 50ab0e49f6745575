import type { Example } from "./example.ts";

const PAGE = { title: "Tax rates", url: "https://docs.stripe.com/tax/tax-rates" };
const TEN_PERCENT_OFF = { id: "ten", percentOff: 10, duration: "once" } as const;

export const TAX: readonly Example[] = [
  {
    ...PAGE,
    says: "25 % exclusive on 5.00: 1.25 of tax on top, 6.25 in total",
    expected: { subtotal: 500, tax: 125, total: 625, total_excluding_tax: 500 },
    play({ sandbox, bill }) {
      sandbox.addTaxRate({ id: "txr_25", percentage: 25, inclusive: false });
      const { subtotal, total, total_excluding_tax, total_taxes } = bill([500], { taxRateIds: ["txr_25"] });
      return { subtotal, tax: total_taxes[0]?.amount, total, total_excluding_tax };
    },
  },
  {
    ...PAGE,
    says: "25 % inclusive in 5.00: 1.00 of tax within, 4.00 without it",
    expected: { subtotal: 500, tax: 100, total: 500, total_excluding_tax: 400 },
    play({ sandbox, bill }) {
      sandbox.addTaxRate({ id: "txr_25", percentage: 25, inclusive: true });
      const { subtotal, total, total_excluding_tax, total_taxes } = bill([500], { taxRateIds: ["txr_25"] });
      return { subtotal, tax: total_taxes[0]?.amount, total, total_excluding_tax };
    },
  },
  {
    ...PAGE,
    says: "rounded at the line: 10 % inclusive in 1000.00 and in 50.00 are 90.91 and 4.55",
    expected: { taxes: [9091, 455], total: 105_000, total_tax: 9546, total_excluding_tax: 95_454 },
    play({ sandbox, bill }) {
      sandbox.addTaxRate({ id: "txr_10", percentage: 10, inclusive: true });
      const { lines, total, total_taxes, total_excluding_tax } = bill([100_000, 5000], {
        taxRateIds: ["txr_10"],
      });
      return {
        taxes: lines.data.map(({ taxes }) => taxes[0]?.amount),
        total,
        total_tax: total_taxes[0]?.amount,
        total_excluding_tax,
      };
    },
  },
  {
    ...PAGE,
    says: "10 % off 5.00 and 10.00, then 5 % exclusive: 14.18",
    expected: {
      amounts: [500, 1000],
      discounts: [50, 100],
      taxes: [23, 45],
      discount: 150,
      tax: 68,
      total: 1418,
    },
    play: ({ sandbox, bill }) => {
      sandbox.addCoupon(TEN_PERCENT_OFF);
      sandbox.addTaxRate({ id: "txr_5", percentage: 5, inclusive: false });
      const { lines, total, total_taxes, total_discount_amounts } = bill([500, 1000], {
        couponIds: ["ten"],
        taxRateIds: ["txr_5"],
      });
      return {
        amounts: lines.data.map(({ amount }) => amount),
        discounts: lines.data.map(({ discount_amounts }) => discount_amounts[0]?.amount),
        taxes: lines.data.map(({ taxes }) => taxes[0]?.amount),
        discount: total_discount_amounts[0]?.amount,
        tax: total_taxes[0]?.amount,
        total,
      };
    },
  },
  {
    ...PAGE,
    says: "10 % off 5.00 and 10.00, of which 5 % are inclusive: 13.50, with 0.64 of tax",
    expected: { taxes: [21, 43], tax: 64, total: 1350 },
    play: ({ sandbox, bill }) => {
      sandbox.addCoupon(TEN_PERCENT_OFF);
      sandbox.addTaxRate({ id: "txr_5", percentage: 5, inclusive: true });
      const { lines, total, total_taxes } = bill([500, 1000], { couponIds: ["ten"], taxRateIds: ["txr_5"] });
      return { taxes: lines.data.map(({ taxes }) => taxes[0]?.amount), tax: total_taxes[0]?.amount, total };
    },
  },
  {
    ...PAGE,
    says: "the same with 5 % inclusive and 7 % exclusive on what is left without it: 14.40",
    expected: { taxes: [[21, 30], [43, 60]], total_taxes: [64, 90], total_excluding_tax: 1286, total: 1440 },
    play: ({ sandbox, bill }) => {
      sandbox.addCoupon(TEN_PERCENT_OFF);
      sandbox.addTaxRate({ id: "txr_5", percentage: 5, inclusive: true });
      sandbox.addTaxRate({ id: "txr_7", percentage: 7, inclusive: false });
      const { lines, total, total_taxes, total_excluding_tax } = bill([500, 1000], {
        couponIds: ["ten"],
        taxRateIds: ["txr_5", "txr_7"],
      });
      return {
        taxes: lines.data.map(({ taxes }) => taxes.map(({ amount }) => amount)),
        total_taxes: total_taxes.map(({ amount }) => amount),
        total_excluding_tax,
        total,
      };
    },
  },
  {
    title: "Revenue Recognition with subscriptions and invoicing",
    url: "https://docs.stripe.com/revenue-recognition/methodology/subscriptions-and-invoicing",
    says: "a month of 31.00 with 10 % exclusive is 34.10, 3.10 of it tax",
    expected: { amount_due: 3410, tax: 310, amount_paid: 3410 },
    play({ sandbox, bill }) {
      sandbox.addTaxRate({ id: "txr_10", percentage: 10, inclusive: false });
      const { amount_due, amount_paid, total_taxes } = bill([3100], { taxRateIds: ["txr_10"] });
      return { amount_due, tax: total_taxes[0]?.amount, amount_paid };
    },
  },
];
