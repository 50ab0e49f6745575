import { describe, expect, it } from "vitest";
import { openPaid } from "./stripe-money.ts";

const lineOf = (invoice: { lines: { data: { id: string }[] } }) => invoice.lines.data[0]?.id ?? "";

describe("a credit note on an open invoice", () => {
  it("reduces what is due, and its payment; voided, it raises it again", async () => {
    const { sandbox, sdk, subscription, sent } = await openPaid();
    const open = sandbox.failPayment(subscription.id);
    const lineId = lineOf(open);
    expect(await sent(() => sandbox.creditNote(open.id, { lineId, amount: 900 }))).toEqual([
      "credit_note.created",
      "invoice.updated",
    ]);
    const [note] = sandbox.state.creditNotes.values();
    expect(note).toMatchObject({
      type: "pre_payment",
      total: 900,
      pre_payment_amount: 900,
      post_payment_amount: 0,
      out_of_band_amount: null,
      refunds: [],
      lines: {
        data: [{ amount: 900, invoice_line_item: lineId, type: "invoice_line_item", quantity: null }],
      },
    });
    expect(open).toMatchObject({
      status: "open",
      total: 4900,
      amount_due: 4000,
      amount_remaining: 4000,
      pre_payment_credit_notes_amount: 900,
    });
    expect(sandbox.state.paymentsOf(open.id)).toMatchObject([{ amount_requested: 4000 }]);
    const voided = await sdk.creditNotes.voidCreditNote(note?.id ?? "");
    expect(voided).toMatchObject({ status: "void", voided_at: expect.any(Number) });
    expect(open).toMatchObject({ amount_due: 4900, pre_payment_credit_notes_amount: 0 });
    await expect(sdk.creditNotes.voidCreditNote(note?.id ?? "")).rejects.toMatchObject({ statusCode: 400 });
    expect(sandbox.payInvoice(open.id).amount_paid).toBe(4900);
  });

  it("of all that is due makes it paid without a charge, and can be voided no longer", async () => {
    const { sandbox, subscription, sent } = await openPaid();
    const open = sandbox.failPayment(subscription.id);
    expect(await sent(() => sandbox.creditNote(open.id, { lineId: lineOf(open), amount: 4900 }))).toEqual([
      "credit_note.created",
      "payment_intent.canceled",
      "invoice.updated",
      "invoice.paid",
    ]);
    expect(open).toMatchObject({ status: "paid", amount_due: 0, amount_paid: 0 });
    const [note] = sandbox.state.creditNotes.values();
    expect(() => sandbox.voidCreditNote(note?.id ?? "")).toThrow("open invoice");
  });

  it("that is partly paid is mixed: first what remains, then what was paid", async () => {
    const { sandbox, subscription } = await openPaid();
    sandbox.setCollection(subscription.id, "send_invoice");
    const open = sandbox.renew(subscription.id);
    sandbox.completePayment(sandbox.attachPayment(open.id, 3000).id);
    const note = sandbox.creditNote(open.id, { lineId: lineOf(open), amount: 2900 });
    expect(note).toMatchObject({ type: "mixed", pre_payment_amount: 1900, post_payment_amount: 1000 });
    expect(note.refunds).toMatchObject([{ amount_refunded: 1000 }]);
    expect(open).toMatchObject({ status: "paid", amount_due: 3000, amount_paid: 3000, amount_remaining: 0 });
  });

  it("waits for a debit that is under way", async () => {
    const { sandbox, subscription } = await openPaid();
    const open = sandbox.failPayment(subscription.id);
    sandbox.debit(open.id);
    expect(() => sandbox.creditNote(open.id, { lineId: lineOf(open), amount: 1 })).toThrow("pending");
  });
});

describe("a credit note on a paid invoice", () => {
  it("leaves what is due, and is given as a refund, as credit and outside of Stripe", async () => {
    const { sandbox, sdk, invoice, charge, sent } = await openPaid();
    const create = (giving: object) =>
      sdk.creditNotes.create({
        invoice: invoice.id,
        lines: [{ type: "invoice_line_item", invoice_line_item: lineOf(invoice), amount: 1000 }],
        ...giving,
      });
    await expect(create({ refund_amount: 500 })).rejects.toMatchObject({ statusCode: 400 });
    await expect(create({})).rejects.toMatchObject({ statusCode: 400 });
    expect(
      await sent(() =>
        create({ refund_amount: 500, credit_amount: 300, out_of_band_amount: 200, memo: "sorry" })
      ),
    ).toEqual([
      "refund.created",
      "charge.refunded",
      "customer.updated",
      "credit_note.created",
    ]);
    const { data: [note] } = await sdk.creditNotes.list({ invoice: invoice.id });
    expect(note).toMatchObject({
      type: "post_payment",
      amount: 1000,
      post_payment_amount: 1000,
      pre_payment_amount: 0,
      out_of_band_amount: 200,
      customer_balance_transaction: expect.stringMatching(/^cbtxn_/),
      refunds: [{ amount_refunded: 500, type: "refund", refund: expect.stringMatching(/^re_/) }],
      memo: "sorry",
    });
    expect(invoice).toMatchObject({
      status: "paid",
      amount_due: 4900,
      post_payment_credit_notes_amount: 1000,
    });
    expect(charge.amount_refunded).toBe(500);
    expect(sandbox.state.customers.get(invoice.customer)?.balance).toBe(-300);
    const id = note?.id ?? "";
    await expect(sdk.creditNotes.voidCreditNote(id)).rejects.toMatchObject({ statusCode: 400 });
    expect(await sent(() => sdk.creditNotes.update(id, { memo: "very sorry" }))).toEqual([
      "credit_note.updated",
    ]);
    expect((await sdk.creditNotes.retrieve(id)).memo).toBe("very sorry");
  });

  it("takes a refund that was made before, which then counts once", async () => {
    const { sandbox, sdk, invoice, charge } = await openPaid();
    const refund = sandbox.refund(charge.id, 900);
    const line = (amount: number) => ({
      type: "invoice_line_item" as const,
      invoice_line_item: lineOf(invoice),
      amount,
    });
    // A refund that no note names takes its amount from what can be credited.
    await expect(sdk.creditNotes.create({ invoice: invoice.id, lines: [line(4900)], credit_amount: 4900 }))
      .rejects.toMatchObject({ statusCode: 400 });
    const note = await sdk.creditNotes.create({
      invoice: invoice.id,
      lines: [line(900)],
      refunds: [{ refund: refund.id }],
    });
    expect(note.refunds).toMatchObject([{ amount_refunded: 900, refund: refund.id }]);
    expect(sandbox.creditNote(invoice.id, { lineId: lineOf(invoice), amount: 4000 }).refunds).toMatchObject([
      { amount_refunded: 4000 },
    ]);
    expect(charge).toMatchObject({ amount_refunded: 4900, refunded: true });
  });

  it("credits a line by amount or by quantity, and no more than it has", async () => {
    const { sandbox, invoice } = await openPaid();
    const lineId = lineOf(invoice);
    sandbox.creditNote(invoice.id, { lineId, amount: 900 });
    expect(() => sandbox.creditNote(invoice.id, { lineId, quantity: 1 })).toThrow("not by both");
    expect(() => sandbox.creditNote(invoice.id, { lineId, amount: 4001 })).toThrow("what is left");
    expect(() => sandbox.creditNote(invoice.id, { lineId, amount: -100 })).toThrow("what is left");
  });

  it("shares the line's discount and tax", async () => {
    const { sandbox, sdk, subscription } = await openPaid();
    sandbox.addCoupon({ id: "half", percentOff: 50, duration: "forever" });
    sandbox.addTaxRate({ id: "txr_1", percentage: 10, inclusive: false });
    sandbox.discount(subscription.id, ["half"]);
    sandbox.tax(subscription.id, ["txr_1"]);
    const invoice = sandbox.renew(subscription.id);
    const { id } = sandbox.creditNote(invoice.id, { lineId: lineOf(invoice), amount: 2450 });
    expect(await sdk.creditNotes.retrieve(id)).toMatchObject({
      subtotal: 2450,
      discount_amount: 1225,
      discount_amounts: [{ amount: 1225 }],
      total_excluding_tax: 1225,
      total_taxes: [{ amount: 123, taxable_amount: 1225 }],
      total: 1348,
      amount: 1348,
      lines: {
        data: [{
          amount: 2450,
          discount_amount: 1225,
          discount_amounts: [{ amount: 1225 }],
          taxes: [{ amount: 123 }],
        }],
      },
    });
  });
});
