import type { Example } from "./example.ts";

const DASHBOARD = {
  title: "Issue credit notes",
  url: "https://docs.stripe.com/invoicing/dashboard/credit-notes",
};
const API = {
  title: "Generate credit notes programmatically",
  url: "https://docs.stripe.com/invoicing/integration/programmatic-credit-notes",
};
const TEN_LINES: number[] = Array.from({ length: 10 }, () => 1000);

export const CREDIT_NOTES: readonly Example[] = [
  {
    ...DASHBOARD,
    says: "110 was billed for 100: a note of 10 leaves 100 due",
    expected: { total: 1000, amount_due: 10_000 },
    play({ sandbox, bill, line }) {
      const invoice = bill([11_000], { paid: false });
      const { total } = sandbox.creditNote(invoice.id, { lineId: line(invoice), amount: 1000 });
      return { total, amount_due: invoice.amount_due };
    },
  },
  {
    ...DASHBOARD,
    says:
      "five were billed and three are in stock: two units are credited, at the unit's price each (2, ours)",
    expected: { credited: 400, quantity: 2, refunded: 400 },
    play({ sandbox, bill, line }) {
      const invoice = bill([200], { quantity: 5 });
      const note = sandbox.creditNote(invoice.id, { lineId: line(invoice), quantity: 2 });
      const [credited] = note.lines.data;
      return {
        credited: credited?.amount,
        quantity: credited?.quantity,
        refunded: note.refunds[0]?.amount_refunded,
      };
    },
  },
  {
    ...DASHBOARD,
    says: "a credit balance of 150 makes an invoice of 200 one of 50; a note of 50 goes back to the card",
    expected: { amount_due: 5000, refunded: 5000, balance: 0 },
    play({ sandbox, customerId, bill, line }) {
      sandbox.adjustBalance(customerId, -15_000);
      const invoice = bill([20_000]);
      const note = sandbox.creditNote(invoice.id, { lineId: line(invoice), amount: 5000 });
      return {
        amount_due: invoice.amount_due,
        refunded: note.refunds[0]?.amount_refunded,
        balance: sandbox.state.customers.get(customerId)?.balance,
      };
    },
  },
  {
    ...DASHBOARD,
    says: "in the same case all above 50 is added to the credit balance",
    expected: { post_payment_amount: 8000, refunded: 5000, balance: -3000 },
    play({ sandbox, customerId, bill, line }) {
      sandbox.adjustBalance(customerId, -15_000);
      const invoice = bill([20_000]);
      const { post_payment_amount, refunds } = sandbox.creditNote(invoice.id, {
        lineId: line(invoice),
        amount: 8000,
      });
      return {
        post_payment_amount,
        refunded: refunds[0]?.amount_refunded,
        balance: sandbox.state.customers.get(customerId)?.balance,
      };
    },
  },
  {
    ...DASHBOARD,
    says: "50 % off ten lines of 10 makes each 5: a note for one line takes 5",
    expected: { gross: 1000, discount: 500, total: 500, amount_due: 4500 },
    play({ sandbox, bill, line }) {
      sandbox.addCoupon({ id: "half", percentOff: 50, duration: "once" });
      const invoice = bill(TEN_LINES, { paid: false, couponIds: ["half"] });
      const note = sandbox.creditNote(invoice.id, { lineId: line(invoice), amount: 1000 });
      return {
        gross: note.subtotal,
        discount: note.discount_amount,
        total: note.total,
        amount_due: invoice.amount_due,
      };
    },
  },
  {
    ...DASHBOARD,
    says:
      "10 off ten lines of 10 is 1 off each: a note for one line takes 9, and one unit of 1 of its own makes it 10",
    expected: { shares: TEN_LINES.map(() => 100), one_line: 900, with_custom_line: 1000 },
    play({ sandbox, bill, line }) {
      sandbox.addCoupon({ id: "off", amountOff: 1000, duration: "once" });
      const invoice = bill(TEN_LINES, { paid: false, couponIds: ["off"] });
      const credit = { lineId: line(invoice), amount: 1000 };
      const custom = { description: "the discount of the line", quantity: 1, unitAmount: 100 };
      const one = sandbox.creditNote(invoice.id, credit);
      sandbox.voidCreditNote(one.id);
      return {
        shares: invoice.lines.data.map(({ discount_amounts }) => discount_amounts[0]?.amount),
        one_line: one.total,
        with_custom_line: sandbox.creditNote(invoice.id, { lines: [credit, custom] }).total,
      };
    },
  },
  {
    ...API,
    says: "100 are due and a line of its own credits 20: 80 are due",
    expected: { amount_due: 8000, pre_payment_amount: 2000, type: "pre_payment" },
    play({ sandbox, bill }) {
      const invoice = bill([10_000], { paid: false });
      const { pre_payment_amount, type } = sandbox.creditNote(invoice.id, {
        lines: [{ description: "Courtesy", quantity: 1, unitAmount: 2000 }],
      });
      return { amount_due: invoice.amount_due, pre_payment_amount, type };
    },
  },
  {
    ...API,
    says: "on a paid invoice a note of 5.00 is 1.00 refunded, 2.00 credited, 2.00 outside of Stripe",
    expected: { total: 500, refunded: 100, balance: -200, out_of_band_amount: 200, amount_due: 500 },
    play({ sandbox, customerId, bill, line }) {
      const invoice = bill([250], { quantity: 2 });
      const note = sandbox.creditNote(invoice.id, {
        lines: [{ lineId: line(invoice), quantity: 2 }],
        giving: { refundAmount: 100, creditAmount: 200, outOfBandAmount: 200 },
      });
      return {
        total: note.total,
        refunded: note.refunds[0]?.amount_refunded,
        balance: sandbox.state.customers.get(customerId)?.balance,
        out_of_band_amount: note.out_of_band_amount,
        amount_due: invoice.amount_due,
      };
    },
  },
  ...(["amount", "quantity"] as const).map((by): Example => ({
    ...API,
    says: `a line of 100 and one of −50, both credited in full by ${by}: the note is of 50`,
    expected: { lines: [10_000, -5000], total: 5000, amount_due: 0, status: "paid" },
    play({ sandbox, bill }) {
      const first = bill([10_000]);
      const subscriptionId = first.parent?.subscription_details.subscription ?? "";
      sandbox.addInvoiceItem(subscriptionId, -5000);
      const invoice = sandbox.failPayment(subscriptionId);
      const lines = invoice.lines.data.toSorted((a, b) => b.amount - a.amount);
      const note = sandbox.creditNote(invoice.id, {
        lines: lines.map(({ id, amount }) =>
          by === "amount" ? { lineId: id, amount } : { lineId: id, quantity: 1 }
        ),
      });
      return {
        lines: note.lines.data.map(({ amount }) => amount),
        total: note.total,
        amount_due: invoice.amount_due,
        status: invoice.status,
      };
    },
  })),
  {
    title: "Revenue Recognition with subscriptions and invoicing",
    url: "https://docs.stripe.com/revenue-recognition/methodology/subscriptions-and-invoicing",
    says: "an open invoice of 90 for three months, a note of 45: what is to be received falls by 45",
    expected: { amount_remaining: 4500 },
    play({ sandbox, bill, line }) {
      const invoice = bill([9000], { paid: false });
      sandbox.creditNote(invoice.id, { lineId: line(invoice), amount: 4500 });
      return { amount_remaining: invoice.amount_remaining };
    },
  },
];
