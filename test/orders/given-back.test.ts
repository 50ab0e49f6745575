import type Stripe from "stripe";
import { describe, expect, test } from "vitest";
import { type Case, TREATMENTS } from "../../src/shared/orders/cases.ts";
import { formatMoney } from "../../src/shared/orders/format-money.ts";
import { type LineFills, moneyCaseOf, type MoneyFacts } from "../../src/shared/orders/money.ts";
import type { StripeInvoiceLine } from "../../src/shared/vendors/stripe/client.ts";
import { day, givenBack, invoice, line, moneyFacts, note, slot } from "./support.ts";

// Section 2 of the policy, "Given back", row by row. The second of three fills, of which the first was sent.

const ONE_SENT: LineFills = { all: 3, notSent: 2 };
const NONE_SENT: LineFills = { all: 3, notSent: 3 };

const caseOf = (facts: MoneyFacts, fills = ONE_SENT, due = 30) => moneyCaseOf(slot(due), fills, facts);
const after = (back: Parameters<typeof givenBack>[0], fills?: LineFills) =>
  caseOf(moneyFacts({ back: givenBack(back) }), fills);
const refund = (amount: number, status: string | null = "succeeded") => ({
  id: `re_${amount}`,
  amount,
  status,
});
const dispute = (status: string, amount = 12_900) => ({ id: "du_1", amount, status, isWithdrawn: true });

test("a paid invoice of which nothing went back is fine", () => {
  expect(caseOf(moneyFacts())).toBe("FINE");
});

test.each(["draft", "open", "void", "uncollectible", "a new word", null])(
  "an invoice that is %j pays for nothing: what was sent is cancelled",
  (status) => {
    expect(caseOf(moneyFacts({ paid: invoice({ status }) }))).toBe("NOT_PAID");
    expect(TREATMENTS.NOT_PAID).toMatchObject({ notSent: "called off", sent: "cancelled", left: "too late" });
  },
);

describe("invoice total above 0 and kept 0 or less", () => {
  test.each([
    ["one refund", [refund(12_900)]],
    ["two refunds", [refund(4_900), refund(8_000)]],
    ["a pending one", [refund(12_900, "pending")]],
    ["one that waits for the customer", [refund(12_900, "requires_action")]],
    ["one with a new word", [refund(12_900, "hibernating")]],
  ])("%s: called off, cancelled, asked about", (_name, refunds) => {
    expect(after({ refunds })).toBe("ALL_BACK");
    expect(TREATMENTS.ALL_BACK).toMatchObject({ notSent: "called off", sent: "cancelled", left: "too late" });
  });

  test("a credit note and the refund that it lists count once", () => {
    const custom = { lines: [{ invoiceLineItemId: null, amount: 4_900 }], refundIds: ["re_4900"] };
    expect(after({ refunds: [refund(4_900)], creditNotes: [note(4_900, custom)] })).toBe("PART_BACK");
    expect(after({ refunds: [refund(8_000)], creditNotes: [note(4_900, custom)] })).toBe("ALL_BACK");
  });

  test("an invoice of 0, by a coupon or the balance, is never all given back", () => {
    expect(caseOf(moneyFacts({ paid: invoice({ total: 0 }) }))).toBe("FINE");
  });
});

test("kept at or above the total: a double payment came back, everything stays", () => {
  const twice = moneyFacts({
    paid: invoice({ overpaid: 12_900 }),
    back: givenBack({ refunds: [refund(12_900)] }),
  });
  expect(caseOf(twice)).toBe("FINE");
});

describe("proration credit", () => {
  const credit = (changes: Partial<StripeInvoiceLine> = {}) =>
    line({
      id: "il_credit",
      amount: -10_750,
      proration: true,
      creditedLineIds: ["il_1"],
      periodStart: day(15),
      ...changes,
    });
  const debit = (changes: Partial<StripeInvoiceLine> = {}) =>
    line({ id: "il_debit", amount: 10_750, proration: true, periodStart: day(15), ...changes });
  const changed = (changes: StripeInvoiceLine[], due = 30) => caseOf(moneyFacts({ changes }), ONE_SENT, due);

  test("covers the fills whose slot begins at or after its period does, and no money is compared", () => {
    expect([0, 15, 30, 60].map((due) => changed([credit({ amount: -1 })], due)))
      .toEqual(["FINE", "SLOT_CREDITED", "SLOT_CREDITED", "SLOT_CREDITED"]);
    expect(TREATMENTS.SLOT_CREDITED).toMatchObject({
      notSent: "called off",
      sent: "cancelled",
      left: "nothing",
    });
  });

  test("that waits for the next invoice counts as one on an invoice", () => {
    expect(changed([credit({ id: "ii_1", invoiceItemId: "ii_1" })])).toBe("SLOT_CREDITED");
  });

  test("concerns the lines that it names, and no others", () => {
    expect(changed([credit({ creditedLineIds: ["il_another"] })])).toBe("FINE");
  });

  test("that names an invoice item concerns the line that came from it", () => {
    const facts = moneyFacts({ changes: [credit({ creditedLineIds: [], creditedItemId: "ii_9" })] });
    expect(moneyCaseOf(slot(30, { line: line({ invoiceItemId: "ii_9" }) }), ONE_SENT, facts)).toBe(
      "SLOT_CREDITED",
    );
    expect(caseOf(facts)).toBe("FINE");
  });

  test("that names nothing concerns the line of its item and price whose period holds its own", () => {
    const unnamed = (changes: Partial<StripeInvoiceLine>) =>
      changed([credit({ creditedLineIds: [], ...changes })]);
    expect(unnamed({})).toBe("SLOT_CREDITED");
    expect(unnamed({ subscriptionItemId: "si_2" })).toBe("FINE");
    expect(unnamed({ priceId: "price_quarter_new" })).toBe("FINE");
    expect(unnamed({ periodEnd: day(91) })).toBe("FINE");
  });

  test("whose change pays for the slot again takes nothing: another price of the product, or other units", () => {
    expect(changed([credit(), debit()])).toBe("FINE");
    expect(changed([credit(), debit({ priceId: "price_quarter_new" })])).toBe("FINE");
    expect(changed([credit(), debit({ quantity: 2, amount: 21_500 })])).toBe("FINE");
  });

  test("whose change pays for another product, another time or another subscription takes the slot", () => {
    expect(changed([credit(), debit({ priceId: "price_other" })])).toBe("SLOT_CREDITED");
    expect(changed([credit(), debit({ periodStart: day(20) })])).toBe("SLOT_CREDITED");
    expect(changed([credit(), debit({ subscriptionId: "sub_2" })])).toBe("SLOT_CREDITED");
  });
});

describe("credit note that names the line", () => {
  test("net at least the unsent share: called off, and what was sent stays", () => {
    expect(after({ creditNotes: [note(8_600)] })).toBe("REST_CREDITED");
    // Thirds of 129.01 are rounded.
    const odd = invoice({ total: 12_901, lines: [line({ amount: 12_901 })] });
    expect(caseOf(moneyFacts({ paid: odd, back: givenBack({ creditNotes: [note(8_600)] }) }))).toBe(
      "REST_CREDITED",
    );
    expect(TREATMENTS.REST_CREDITED).toMatchObject({ notSent: "called off", sent: "stays", left: "nothing" });
  });

  test("the whole line: what was sent is cancelled, what has left is asked about", () => {
    const other = line({ id: "il_2", amount: 4_900 });
    const two = invoice({ total: 17_800, lines: [line(), other] });
    const facts = moneyFacts({ paid: two, back: givenBack({ creditNotes: [note(12_900)] }) });
    expect(caseOf(facts)).toBe("LINE_CREDITED");
    expect(moneyCaseOf(slot(0, { line: other }), { all: 1, notSent: 1 }, facts)).toBe("FINE");
    expect(TREATMENTS.LINE_CREDITED).toMatchObject({
      notSent: "called off",
      sent: "cancelled",
      left: "too late",
    });
  });

  test("discounts and tax make no difference: gross is compared with gross", () => {
    const half = invoice({ total: 6_450 });
    const credited = note(8_600, { total: 4_300, postPayment: 4_300 });
    expect(caseOf(moneyFacts({ paid: half, back: givenBack({ creditNotes: [credited] }) }))).toBe(
      "REST_CREDITED",
    );
  });

  test("of an invoice with a coupon, and a further refund without a line: the other line is in question", () => {
    const lines = [line({ amount: 4_900 }), line({ id: "il_2", amount: 5_900 })];
    const paid = invoice({ total: 5_400, lines });
    const back = givenBack({
      refunds: [refund(2_450), refund(2_000)],
      creditNotes: [note(4_900, { total: 2_450, postPayment: 2_450, refundIds: ["re_2450"] })],
    });
    const facts = moneyFacts({ paid, back });
    expect(moneyCaseOf(slot(0, { line: lines[1] ?? line() }), { all: 1, notSent: 1 }, facts)).toBe(
      "PART_BACK",
    );
  });

  test("covers less: held, one question an invoice", () => {
    expect(after({ creditNotes: [note(4_300)] })).toBe("PART_BACK");
    expect(after({ creditNotes: [note(8_600)] }, NONE_SENT)).toBe("PART_BACK");
    expect(TREATMENTS.PART_BACK).toMatchObject({ notSent: "held", sent: "asked", left: "nothing" });
  });

  test("a voided note never happened", () => {
    expect(after({ creditNotes: [note(12_900, { status: "void" })] })).toBe("FINE");
  });

  test("before the payment: the line that it names is called off, and the rest is paid in full", () => {
    const lines = [line(), line({ id: "il_2", amount: 4_900 })];
    const paid = invoice({ total: 17_800, prePaymentCredits: 4_900, lines });
    const credited = note(4_900, { postPayment: 0, lines: [{ invoiceLineItemId: "il_2", amount: 4_900 }] });
    const facts = moneyFacts({ paid, back: givenBack({ creditNotes: [credited] }) });
    expect(caseOf(facts)).toBe("FINE");
    expect(moneyCaseOf(slot(0, { line: lines[1] ?? line() }), { all: 1, notSent: 1 }, facts)).toBe(
      "LINE_CREDITED",
    );
  });
});

test("part went back and nothing names a line: held", () => {
  expect(after({ refunds: [refund(8_600)] })).toBe("PART_BACK");
  expect(after({ refunds: [refund(3)] })).toBe("FINE");
});

describe("disputes", () => {
  /** A word that is new in Stripe's package does not compile until it stands here. */
  const WORDS: Record<Stripe.Dispute.Status, Case> = {
    warning_needs_response: "INQUIRED",
    warning_under_review: "INQUIRED",
    warning_closed: "FINE",
    needs_response: "DISPUTED",
    under_review: "DISPUTED",
    appeal_needs_response: "DISPUTED",
    appeal_under_review: "DISPUTED",
    won: "FINE",
    lost: "DISPUTE_LOST",
    prevented: "DISPUTE_LOST",
  };

  test.each([...Object.entries(WORDS), ["a new word", "DISPUTED"]])("%s: %s", (status, expected) => {
    expect(after({ disputes: [dispute(status)] })).toBe(expected);
  });

  test("one that was blocked before it was a dispute took nothing", () => {
    expect(after({ disputes: [{ ...dispute("prevented"), isWithdrawn: false }] })).toBe("FINE");
  });

  test("each has its treatment", () => {
    expect(TREATMENTS.INQUIRED).toMatchObject({ notSent: "waits", sent: "stays", left: "nothing" });
    expect(TREATMENTS.DISPUTED).toMatchObject({ notSent: "held", sent: "cancelled", left: "asked" });
    expect(TREATMENTS.DISPUTE_LOST).toMatchObject({
      notSent: "called off",
      sent: "cancelled",
      left: "too late",
    });
  });

  test("one that takes a part is in question as a part, open or lost", () => {
    expect(after({ disputes: [dispute("needs_response", 4_300)] })).toBe("PART_DISPUTED");
    expect(after({ disputes: [dispute("lost", 4_300)] })).toBe("PART_BACK");
    expect(TREATMENTS.PART_DISPUTED).toMatchObject({ notSent: "held", sent: "asked", left: "nothing" });
  });

  test("one that takes what a refund left takes everything", () => {
    expect(after({ refunds: [refund(4_300)], disputes: [dispute("needs_response", 8_600)] })).toBe(
      "DISPUTED",
    );
  });

  test("of several, each counts by its own outcome", () => {
    const disputes = [dispute("won", 6_450), { ...dispute("lost", 6_450), id: "du_2" }];
    expect(after({ disputes })).toBe("PART_BACK");
  });
});

test.each(["failed", "canceled"])("a refund that is %s never happened", (status) => {
  expect(after({ refunds: [refund(12_900, status)] })).toBe("FINE");
});

test("money is written in its currency's own units", () => {
  expect([formatMoney(4_300, "usd"), formatMoney(4_300, "jpy"), formatMoney(4_305, "kwd")])
    .toEqual(["43.00 USD", "4300 JPY", "4.305 KWD"]);
});
