import type { Example } from "./example.ts";

const LEDGER = {
  title: "Revenue Recognition with subscriptions and invoicing",
  url: "https://docs.stripe.com/revenue-recognition/methodology/subscriptions-and-invoicing",
};
const DISPUTES = { title: "How disputes work", url: "https://docs.stripe.com/disputes/how-disputes-work" };
const REFUNDS = { title: "Refund and cancel payments", url: "https://docs.stripe.com/refunds" };
const TESTING = { title: "Testing", url: "https://docs.stripe.com/testing" };

export const PAYMENTS: readonly Example[] = [
  {
    ...LEDGER,
    says: "an invoice of 31, a credit balance of 11: the customer pays 20, and the balance is 0",
    expected: { total: 3100, amount_paid: 2000, starting_balance: -1100, ending_balance: 0, balance: 0 },
    play({ sandbox, customerId, bill }) {
      sandbox.adjustBalance(customerId, -1100);
      const { total, amount_paid, starting_balance, ending_balance } = bill([3100]);
      const balance = sandbox.state.customers.get(customerId)?.balance;
      return { total, amount_paid, starting_balance, ending_balance, balance };
    },
  },
  {
    ...LEDGER,
    says: "a payment of 20 applied to an invoice of 31 leaves 11",
    expected: { amount_paid: 2000, amount_remaining: 1100, status: "open" },
    play({ sandbox, bill }) {
      const subscriptionId = bill([3100]).parent?.subscription_details.subscription ?? "";
      sandbox.setCollection(subscriptionId, "send_invoice");
      const invoice = sandbox.renew(subscriptionId);
      sandbox.completePayment(sandbox.attachPayment(invoice.id, 2000).id);
      const { amount_paid, amount_remaining, status } = invoice;
      return { amount_paid, amount_remaining, status };
    },
  },
  {
    ...LEDGER,
    says: "an invoice of 31 marked as uncollectible might still be paid",
    expected: { given_up: "uncollectible", status: "paid", amount_paid: 3100 },
    play({ sandbox, bill }) {
      const invoice = bill([3100], { paid: false });
      const given_up = sandbox.markUncollectible(invoice.id).status;
      const { status, amount_paid } = sandbox.payInvoice(invoice.id);
      return { given_up, status, amount_paid };
    },
  },
  {
    title: "Revenue Recognition with refunds and disputes",
    url: "https://docs.stripe.com/revenue-recognition/methodology/refunds-and-disputes",
    says: "three months for 90 are disputed: 90 of cash go, and come back when the dispute is won",
    expected: { cash: [-9000, 9000] },
    play({ sandbox, bill }) {
      const { id } = sandbox.dispute(sandbox.invoiceChargeId(bill([9000]).id) ?? "");
      sandbox.changeDispute(id, "under_review");
      return { cash: sandbox.closeDispute(id, "won").balance_transactions.map(({ amount }) => amount) };
    },
  },
  {
    ...DISPUTES,
    says: "three charges of 50 are disputed as one of 150, against one of them",
    expected: { charge: 5000, dispute: 15_000, withdrawn: -15_000 },
    play({ sandbox, bill }) {
      const subscriptionId = bill([5000]).parent?.subscription_details.subscription ?? "";
      sandbox.renew(subscriptionId);
      const chargeId = sandbox.invoiceChargeId(sandbox.renew(subscriptionId).id) ?? "";
      const dispute = sandbox.dispute(chargeId, { amount: 15_000 });
      return {
        charge: sandbox.state.charges.get(chargeId)?.amount,
        dispute: dispute.amount,
        withdrawn: dispute.balance_transactions[0]?.amount,
      };
    },
  },
  {
    ...DISPUTES,
    says: "an inquiry has no financial impact; closed, it is warning_closed (of 50, ours)",
    expected: { withdrawn: [], status: "warning_closed" },
    play({ sandbox, bill }) {
      const chargeId = sandbox.invoiceChargeId(bill([5000]).id) ?? "";
      const { id, balance_transactions } = sandbox.dispute(chargeId, { status: "warning_needs_response" });
      return { withdrawn: balance_transactions, status: sandbox.closeDispute(id, "warning_closed").status };
    },
  },
  {
    ...REFUNDS,
    says: "a refund of 10.00 of a payment (of 50, ours) gives back a part: the charge is not refunded",
    expected: { amount_refunded: 1000, refunded: false },
    play({ sandbox, bill }) {
      const chargeId = sandbox.invoiceChargeId(bill([5000]).id) ?? "";
      sandbox.refund(chargeId, 1000);
      const charge = sandbox.state.charges.get(chargeId);
      return { amount_refunded: charge?.amount_refunded, refunded: charge?.refunded };
    },
  },
  {
    ...TESTING,
    says:
      "asynchronous failure: a refund begins as succeeded and later becomes failed, with refund.failed (of 50, ours)",
    expected: {
      before: "succeeded",
      after: "failed",
      reason: "expired_or_canceled_card",
      last: "refund.failed",
    },
    play({ sandbox, bill }) {
      const refund = sandbox.refund(sandbox.invoiceChargeId(bill([5000]).id) ?? "");
      const before = refund.status;
      const { status, failure_reason } = sandbox.changeRefund(
        refund.id,
        "failed",
        "expired_or_canceled_card",
      );
      const last = [...sandbox.state.events.values()].at(-1)?.type;
      return { before, after: status, reason: failure_reason, last };
    },
  },
  {
    title: "Coupons and promotion codes",
    url: "https://docs.stripe.com/billing/subscriptions/coupons",
    says:
      "a coupon of 100 % for one invoice: that one is free and shows it, the subscription no longer does (31, ours)",
    expected: { totals: [0, 3100], shown: 1, left: 0 },
    play({ sandbox, bill }) {
      sandbox.addCoupon({ id: "free-period", percentOff: 100, duration: "once" });
      const free = bill([3100], { couponIds: ["free-period"] });
      const subscriptionId = free.parent?.subscription_details.subscription ?? "";
      return {
        totals: [free.total, sandbox.renew(subscriptionId).total],
        shown: free.discounts.length,
        left: sandbox.state.subscriptions.get(subscriptionId)?.discounts.length,
      };
    },
  },
  {
    title: "Coupons and promotion codes",
    url: "https://docs.stripe.com/billing/subscriptions/coupons",
    says: "the order of discounts counts: 20 % off then 5 off is not 5 off then 20 % off (of 30, ours)",
    expected: { percent_first: 3000 - 600 - 500, amount_first: 3000 - 500 - 500 },
    play({ sandbox, bill }) {
      sandbox.addCoupon({ id: "fifth", percentOff: 20, duration: "once" });
      sandbox.addCoupon({ id: "five", amountOff: 500, duration: "once" });
      const percent_first = bill([3000], { couponIds: ["fifth", "five"] }).total;
      return { percent_first, amount_first: bill([3000], { couponIds: ["five", "fifth"] }).total };
    },
  },
];
