import { describe, expect, it } from "vitest";
import { openPaid } from "./stripe-money.ts";

/** An invoice that is sent, so that its customer pays it as they like. */
async function openSent() {
  const stripe = await openPaid();
  stripe.sandbox.setCollection(stripe.subscription.id, "send_invoice");
  const sentInvoice = stripe.sandbox.renew(stripe.subscription.id);
  const payments = () =>
    stripe.sandbox.state.paymentsOf(sentInvoice.id).map((
      { amount_requested, amount_paid, status, is_default },
    ) => ({
      amount_requested,
      amount_paid,
      status,
      is_default,
    }));
  return { ...stripe, sentInvoice, payments };
}

describe("several payments of one invoice", () => {
  it("leave it open until nothing remains; the default payment asks for the rest, and is canceled then", async () => {
    const { sandbox, sdk, sent, sentInvoice, payments } = await openSent();
    expect(sentInvoice).toMatchObject({ status: "open", amount_due: 4900, attempted: false });
    const part = sandbox.attachPayment(sentInvoice.id, 2000);
    expect(await sent(() => sandbox.completePayment(part.id))).toEqual([
      "charge.succeeded",
      "payment_intent.succeeded",
      "invoice_payment.paid",
    ]);
    expect(sentInvoice).toMatchObject({ status: "open", amount_paid: 2000, amount_remaining: 2900 });
    expect(payments()).toEqual([
      { amount_requested: 2900, amount_paid: null, status: "open", is_default: true },
      { amount_requested: 2000, amount_paid: 2000, status: "paid", is_default: false },
    ]);
    const rest = sandbox.attachPayment(sentInvoice.id, 2900);
    sandbox.completePayment(rest.id, false);
    expect(sentInvoice.status).toBe("open");
    expect(await sent(() => sandbox.completePayment(rest.id))).toEqual([
      "charge.succeeded",
      "payment_intent.succeeded",
      "invoice_payment.paid",
      "payment_intent.canceled",
      "invoice.paid",
      "invoice.payment_succeeded",
    ]);
    expect(sentInvoice).toMatchObject({ status: "paid", amount_paid: 4900, amount_remaining: 0 });
    const { data } = await sdk.invoicePayments.list({ invoice: sentInvoice.id });
    expect(data.map(({ status }) => status)).toEqual(["paid", "paid", "canceled"]);
  });

  it("can be one too many: what is too much is the customer's credit, and its charge can be refunded", async () => {
    const { sandbox, sent, sentInvoice, payments } = await openSent();
    const both = [sandbox.attachPayment(sentInvoice.id, 4900), sandbox.attachPayment(sentInvoice.id, 4900)];
    sandbox.completePayment(both[0]?.id ?? "");
    expect(sentInvoice).toMatchObject({ status: "paid", amount_paid: 4900, amount_overpaid: 0 });
    expect(await sent(() => sandbox.completePayment(both[1]?.id ?? ""))).toEqual([
      "charge.succeeded",
      "payment_intent.succeeded",
      "invoice_payment.paid",
      "customer.updated",
    ]);
    expect(sentInvoice).toMatchObject({ amount_paid: 4900, amount_overpaid: 4900, amount_remaining: 0 });
    expect(payments().map(({ status }) => status)).toEqual(["canceled", "paid", "paid"]);
    expect(sandbox.state.customers.get(sentInvoice.customer)?.balance).toBe(-4900);
    const last = [...sandbox.state.charges.values()].at(-1);
    expect(sandbox.refund(last?.id ?? "").amount).toBe(4900);
  });

  it("are refused for an invoice that is charged automatically", async () => {
    const { sandbox, subscription } = await openPaid();
    const open = sandbox.failPayment(subscription.id);
    expect(() => sandbox.attachPayment(open.id, 100)).toThrow("charged automatically");
  });

  it("stand in the way of a void, and an open one of giving the invoice up", async () => {
    const { sandbox, sentInvoice } = await openSent();
    const part = sandbox.attachPayment(sentInvoice.id, 2000);
    expect(() => sandbox.markUncollectible(sentInvoice.id)).toThrow("uncollectible");
    sandbox.completePayment(part.id);
    expect(() => sandbox.voidInvoice(sentInvoice.id)).toThrow("void");
    expect(sandbox.markUncollectible(sentInvoice.id).status).toBe("uncollectible");
  });
});

it("an invoice paid out of band is paid without a payment, and says how much", async () => {
  const { sandbox, subscription, sent } = await openPaid();
  const open = sandbox.failPayment(subscription.id);
  expect(await sent(() => sandbox.payInvoice(open.id, "out_of_band"))).toEqual([
    "payment_intent.canceled",
    "invoice.paid",
    "customer.subscription.updated",
  ]);
  expect(open).toMatchObject({
    status: "paid",
    amount_paid: 4900,
    amount_paid_off_stripe: 4900,
    amount_remaining: 0,
  });
  expect(sandbox.state.paymentsOf(open.id).map(({ status }) => status)).toEqual(["canceled"]);
});

it("another processor's payment comes as a payment record, when Stripe has asked for it", async () => {
  const { sandbox, sdk, subscription, sent } = await openPaid();
  const open = sandbox.failPayment(subscription.id);
  expect(await sent(() => sandbox.askForPayment(open.id))).toEqual(["invoice.payment_attempt_required"]);
  expect(await sent(() => sandbox.payInvoice(open.id, "payment_record"))).toEqual([
    "invoice_payment.paid",
    "payment_intent.canceled",
    "invoice.paid",
    "invoice.payment_succeeded",
    "customer.subscription.updated",
  ]);
  const { data } = await sdk.invoicePayments.list({ invoice: open.id, status: "paid" });
  expect(data).toMatchObject([{ amount_paid: 4900, payment: { type: "payment_record" } }]);
  expect(open.amount_paid_off_stripe).toBe(4900);
});

it("an invoice that was given up is paid after all, or becomes void", async () => {
  const { sandbox, subscription } = await openPaid();
  const [one, other] = [sandbox.failPayment(subscription.id), sandbox.failPayment(subscription.id)];
  sandbox.markUncollectible(one.id);
  expect(sandbox.payInvoice(one.id)).toMatchObject({ status: "paid", amount_paid: 4900 });
  sandbox.markUncollectible(other.id);
  expect(sandbox.voidInvoice(other.id).status).toBe("void");
});

it("a bank debit is pending for days, then goes through or fails", async () => {
  const { sandbox, subscription, sent } = await openPaid();
  const open = sandbox.failPayment(subscription.id);
  expect(await sent(() => sandbox.debit(open.id))).toEqual(["charge.pending", "payment_intent.processing"]);
  const failing = sandbox.invoiceChargeId(open.id) ?? "";
  expect(open).toMatchObject({ status: "open", amount_paid: 0 });
  expect(await sent(() => sandbox.settleDebit(failing, false))).toEqual([
    "charge.failed",
    "payment_intent.payment_failed",
    "invoice.payment_failed",
  ]);
  const made = sandbox.debit(open.id);
  expect(sandbox.settleDebit(made.id, true)).toMatchObject({
    status: "succeeded",
    payment_method_details: { type: "us_bank_account" },
  });
  expect(open.status).toBe("paid");
  expect(subscription.status).toBe("active");
  expect(sandbox.returnDebit(made.id)).not.toHaveProperty("payment_method_details");
});

describe("the customer's balance", () => {
  it("pays a part of the next invoice, or all of it, and shows how in its transactions", async () => {
    const { sandbox, sdk, subscription, sent } = await openPaid();
    const { customer } = subscription;
    expect(await sent(() => sandbox.adjustBalance(customer, -6000))).toEqual(["customer.updated"]);
    const free = sandbox.renew(subscription.id);
    expect(free).toMatchObject({
      status: "paid",
      total: 4900,
      amount_due: 0,
      amount_paid: 0,
      starting_balance: -6000,
      ending_balance: -1100,
    });
    expect(sandbox.invoiceChargeId(free.id)).toBeNull();
    expect(sandbox.renew(subscription.id)).toMatchObject({
      status: "paid",
      amount_due: 3800,
      amount_paid: 3800,
      starting_balance: -1100,
      ending_balance: 0,
    });
    const { data } = await sdk.customers.listBalanceTransactions(customer);
    expect(data.map(({ type, amount, ending_balance }) => [type, amount, ending_balance])).toEqual([
      ["applied_to_invoice", 1100, 0],
      ["applied_to_invoice", 4900, -1100],
      ["adjustment", -6000, -6000],
    ]);
  });

  it("can be a debt, which comes on top; a void gives back what its invoice took", async () => {
    const { sandbox, subscription } = await openPaid();
    const balance = () => sandbox.state.customers.get(subscription.customer)?.balance;
    sandbox.adjustBalance(subscription.customer, 100);
    const open = sandbox.failPayment(subscription.id);
    expect([open.amount_due, balance()]).toEqual([5000, 0]);
    sandbox.voidInvoice(open.id);
    expect(balance()).toBe(100);
  });

  it("takes what an invoice below zero gives", async () => {
    const { sandbox, subscription } = await openPaid();
    sandbox.addInvoiceItem(subscription.id, -6900);
    const credit = sandbox.renew(subscription.id);
    expect(credit).toMatchObject({ total: -2000, amount_due: 0, status: "paid", ending_balance: -2000 });
    expect(sandbox.renew(subscription.id).amount_due).toBe(2900);
  });
});

describe("a coupon", () => {
  it("of 100 % makes a paid invoice without a charge: the line keeps its amount", async () => {
    const { sandbox, subscription, sent } = await openPaid();
    sandbox.addCoupon({ id: "free", percentOff: 100, duration: "once" });
    sandbox.discount(subscription.id, ["free"]);
    expect(await sent(() => sandbox.renew(subscription.id))).toEqual([
      "customer.subscription.updated",
      "invoice.created",
      "invoice.finalized",
      "invoice.paid",
      "invoice.payment_succeeded",
    ]);
    const free = [...sandbox.state.invoices.values()].at(-1);
    expect(free).toMatchObject({
      status: "paid",
      subtotal: 4900,
      total: 0,
      amount_due: 0,
      total_discount_amounts: [{ amount: 4900 }],
      lines: { data: [{ amount: 4900, discount_amounts: [{ amount: 4900 }], discounts: [] }] },
    });
    expect(sandbox.invoiceChargeId(free?.id ?? "")).toBeNull();
    // Used up: the invoice goes on to show it, the subscription does not.
    expect([free?.discounts.length, subscription.discounts]).toEqual([1, []]);
    expect(sandbox.renew(subscription.id).total).toBe(4900);
  });

  it("lasts for its months, and takes no more than there is", async () => {
    const { sandbox, sdk, subscription, passSeconds } = await openPaid();
    sandbox.addCoupon({ id: "big", amountOff: 5000, duration: "repeating", months: 1 });
    sandbox.discount(subscription.id, ["big"]);
    const free = sandbox.renew(subscription.id);
    expect(free.total).toBe(0);
    const shown = await sdk.invoices.retrieve(free.id, { expand: ["discounts"] });
    expect(shown.discounts).toMatchObject([{
      object: "discount",
      source: { type: "coupon", coupon: "big" },
    }]);
    passSeconds(40 * 86_400);
    expect(sandbox.renew(subscription.id).total).toBe(4900);
  });

  it("lets a customer without a card subscribe", async () => {
    const { sandbox } = await openPaid();
    sandbox.addCoupon({ id: "free", percentOff: 100, duration: "forever" });
    const { id } = sandbox.createCustomer({ card: "none" });
    const request = { customerId: id, priceIds: [{ price: "price_month", quantity: 1 }] };
    expect(() => sandbox.subscribe(request)).toThrow("no attached payment source");
    expect(sandbox.subscribe({ ...request, couponIds: ["free"] }).status).toBe("active");
  });
});

it("a line's taxes come after its discount", async () => {
  const { sandbox, subscription } = await openPaid();
  sandbox.addCoupon({ id: "half", percentOff: 50, duration: "forever" });
  sandbox.addTaxRate({ id: "txr_1", percentage: 10, inclusive: false });
  sandbox.discount(subscription.id, ["half"]);
  sandbox.tax(subscription.id, ["txr_1"]);
  expect(sandbox.renew(subscription.id)).toMatchObject({
    subtotal: 4900,
    subtotal_excluding_tax: 4900,
    total: 2695,
    total_excluding_tax: 2450,
    total_taxes: [{ amount: 245, taxable_amount: 2450, tax_behavior: "exclusive" }],
    lines: { data: [{ amount: 4900, taxes: [{ amount: 245, tax_rate_details: { tax_rate: "txr_1" } }] }] },
  });
});
