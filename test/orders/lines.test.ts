import { describe, expect, test } from "vitest";
import { paidForBy, type PricedLine } from "../../src/shared/orders/lines.ts";
import type { PriceKey } from "../../src/shared/registry/products.ts";
import type { StripeInvoiceLine, StripePrice } from "../../src/shared/vendors/stripe/client.ts";
import { invoice, line } from "./support.ts";

// Section 1 of the policy, "What a line pays for", row by row.

const at = (text: string) => new Date(`${text}T12:00:00Z`);
const days = (...texts: string[]) => ({ days: texts.map(at) });
const asks = (name: string) => expect.objectContaining({ case: name });

const QUARTER: StripePrice = {
  id: "price_quarter",
  active: true,
  amount: 12_900,
  currency: "usd",
  interval: "month",
  intervalCount: 3,
  isMetered: false,
};
const MONTH: StripePrice = { ...QUARTER, id: "price_month", amount: 4_900, intervalCount: 1 };
const KEY: PriceKey = { productId: 1, fillsPerCharge: 3, shipsFree: null, onSwitch: "ask", oneOff: "ask" };
const MONTH_KEY: PriceKey = { ...KEY, fillsPerCharge: 1 };

/** A quarter's line, from 1 January to 1 April. */
function quarter(
  changes: Partial<StripeInvoiceLine> = {},
  key: Partial<PriceKey> = {},
  price: Partial<StripePrice> = {},
): PricedLine {
  return {
    line: line({ periodStart: at("2027-01-01"), periodEnd: at("2027-04-01"), ...changes }),
    key: { ...KEY, ...key },
    price: { ...QUARTER, ...price },
  };
}

const of = (one: PricedLine, others: PricedLine[] = [], billingReason = "subscription_cycle") =>
  paidForBy(one, invoice({ billingReason }), [one, ...others]);

const THIRDS = { days: [at("2027-01-01"), at("2027-01-31"), at("2027-03-02")] };

describe("a paid line of a subscription item", () => {
  test("pays for as many fills as its price does, each with its due day", () => {
    expect(of(quarter())).toEqual(THIRDS);
    expect(of(quarter({}, { fillsPerCharge: 1 }))).toEqual(days("2027-01-01"));
  });

  test("pays the same by a coupon of 100 %, which leaves the line's amount as it is", () => {
    expect(paidForBy(quarter(), invoice({ total: 0 }), [])).toEqual(THIRDS);
  });

  test("of several units pays for the fills of each", () => {
    const { days: due } = of(quarter({ quantity: 2, amount: 25_800 }, { fillsPerCharge: 1 }));
    expect(due).toEqual([at("2027-01-01"), at("2027-02-15")]);
  });

  test("of a product that is not shipped pays for nothing, as do no units", () => {
    expect(of(quarter({}, { fillsPerCharge: 0 }))).toEqual(days());
    expect(of(quarter({ quantity: 0 }))).toEqual(days());
  });

  test("that is prebilled has a grid of its own", () => {
    const later = quarter({ periodStart: at("2027-04-01"), periodEnd: at("2027-07-01") }, {
      fillsPerCharge: 1,
    });
    expect(of(later)).toEqual(days("2027-04-01"));
  });
});

describe("amount 0", () => {
  test("of a price that costs something: a trial, which pays for nothing, silently", () => {
    expect(of(quarter({ amount: 0 }))).toEqual(days());
    expect(of(quarter({ amount: 0 }, { shipsFree: true }))).toEqual(days());
  });

  test("of a free price: as its key says, else one question", () => {
    const free = (shipsFree: boolean | null) => of(quarter({ amount: 0 }, { shipsFree }, { amount: 0 }));
    expect(free(true)).toEqual(THIRDS);
    expect(free(false)).toEqual(days());
    expect(free(null)).toEqual(asks("FREE"));
  });
});

test("metered, or without a quantity: nothing, one question", () => {
  expect(of(quarter({ quantity: null }))).toEqual(asks("METERED"));
  expect(of(quarter({}, {}, { isMetered: true, amount: null }))).toEqual(asks("METERED"));
});

describe("a positive proration", () => {
  const rest = (from: string, changes: Partial<StripeInvoiceLine> = {}, key: Partial<PriceKey> = {}) =>
    quarter({ proration: true, periodStart: at(from), ...changes }, key);
  const credit = (from: string, productId: number, quantity = 1) =>
    quarter({ id: "il_credit", proration: true, amount: -9_000, quantity, periodStart: at(from) }, {
      productId,
    });

  test("of another product pays for the slots of its price's grid that begin in its period", () => {
    expect(of(rest("2027-01-15"), [credit("2027-01-15", 2)])).toEqual(days("2027-01-31", "2027-03-02"));
    expect(of(rest("2027-01-01"), [credit("2027-01-01", 2)])).toEqual(THIRDS);
    expect(of(rest("2027-03-01"), [credit("2027-03-01", 2)])).toEqual(days("2027-03-02"));
  });

  test("of an item that was added pays for them too", () => {
    expect(of(rest("2027-01-15"))).toEqual(days("2027-01-31", "2027-03-02"));
  });

  test("in which none begins: nothing for the credited product with no more units", () => {
    expect(of(rest("2027-01-15"), [credit("2027-01-15", 1)])).toEqual(days());
    expect(of(rest("2027-03-15", { quantity: 1 }), [credit("2027-03-15", 1, 2)])).toEqual(days());
  });

  test("in which none begins, for another product or more units: as the key says", () => {
    const late = (key: Partial<PriceKey>) => of(rest("2027-03-15", {}, key), [credit("2027-03-15", 2)]);
    expect(late({})).toEqual(asks("SWITCHED"));
    expect(late({ onSwitch: "ship_now" })).toEqual(days("2027-03-15"));
    expect(late({ onSwitch: "with_next" })).toEqual(days());
    expect(of(rest("2027-03-15", { quantity: 2 }), [credit("2027-03-15", 1)])).toEqual(asks("SWITCHED"));
  });

  test("of a month, whose slot began before the change, is a question", () => {
    const month: PricedLine = {
      line: line({ proration: true, periodStart: at("2027-01-15"), periodEnd: at("2027-02-01") }),
      key: MONTH_KEY,
      price: MONTH,
    };
    expect(of(month)).toEqual(asks("SWITCHED"));
  });

  test("a credit pays for nothing", () => {
    expect(of(credit("2027-01-15", 1))).toEqual(days());
  });
});

test("a stub up to a billing date pays for its fills if it lasts half an interval, else one question", () => {
  const stub = (from: string) =>
    of(quarter({ proration: true, periodStart: at(from) }, { fillsPerCharge: 1 }), [], "subscription_create");
  expect(stub("2027-02-14")).toEqual(days("2027-02-14"));
  expect(stub("2027-02-16")).toEqual(asks("STUB"));
});

test("a line that no subscription asks for ships as its key says, else one question", () => {
  const oneOff = (key: Partial<PriceKey>) => {
    const now = { periodStart: at("2027-01-01"), periodEnd: at("2027-01-01") };
    return of(quarter({ isSubscriptionLine: false, ...now }, { fillsPerCharge: 1, ...key }), [], "manual");
  };
  expect(oneOff({})).toEqual(asks("ONE_OFF"));
  expect(oneOff({ oneOff: "ship" })).toEqual(days("2027-01-01"));
});
