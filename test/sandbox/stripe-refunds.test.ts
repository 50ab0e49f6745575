import { expect, it } from "vitest";
import { openPaid } from "./stripe-money.ts";

it("a pending refund counts on its charge at once, and tells when it has succeeded", async () => {
  const { sandbox, charge, sent } = await openPaid();
  const { id } = sandbox.refund(charge.id, 1000, { status: "pending" });
  expect(sandbox.state.refunds.get(id)).toMatchObject({ status: "pending", pending_reason: "processing" });
  expect(charge).toMatchObject({ amount_refunded: 1000, refunded: false });
  expect(await sent(() => sandbox.changeRefund(id, "succeeded"))).toEqual([
    "refund.updated",
    "charge.refund.updated",
  ]);
  expect(sandbox.state.refunds.get(id)).not.toHaveProperty("pending_reason");
  expect(charge.amount_refunded).toBe(1000);
});

it("a refund that had succeeded fails weeks later: its charge has the money again, and can be refunded", async () => {
  const { sandbox, sdk, charge, sent } = await openPaid();
  const { id } = sandbox.refund(charge.id);
  expect(charge).toMatchObject({ amount_refunded: 4900, refunded: true });
  expect(await sent(() => sandbox.changeRefund(id, "failed", "expired_or_canceled_card"))).toEqual([
    "refund.updated",
    "charge.refund.updated",
    "refund.failed",
  ]);
  expect(charge).toMatchObject({ amount_refunded: 0, refunded: false });
  const failed = await sdk.refunds.retrieve(id, { expand: ["failure_balance_transaction"] });
  expect(failed).toMatchObject({
    status: "failed",
    failure_reason: "expired_or_canceled_card",
    failure_balance_transaction: { object: "balance_transaction", amount: 4900, type: "refund_failure" },
  });
  expect(() => sandbox.changeRefund(id, "succeeded")).toThrow("refund that is failed");
  expect(sandbox.refund(charge.id).amount).toBe(4900);
  const { data } = await sdk.refunds.list({ charge: charge.id });
  expect(data.map(({ status }) => status)).toEqual(["succeeded", "failed"]);
});

it("a refund that waits for the customer is canceled over the API, no other", async () => {
  const { sandbox, sdk, charge, sent } = await openPaid();
  const waiting = sandbox.refund(charge.id, 900, { status: "requires_action" });
  expect(waiting.next_action?.type).toBe("display_details");
  const given = sandbox.refund(charge.id, 1000);
  await expect(sdk.refunds.cancel(given.id)).rejects.toMatchObject({ statusCode: 400 });
  expect((await sdk.refunds.cancel(waiting.id)).status).toBe("canceled");
  expect(await sdk.refunds.retrieve(waiting.id)).toMatchObject({
    failure_reason: "merchant_request",
    failure_balance_transaction: expect.stringMatching(/^txn_/),
  });
  expect(charge.amount_refunded).toBe(1000);
  // In the Dashboard a card's refund can be canceled for a short time after it succeeded.
  expect(await sent(() => sandbox.changeRefund(given.id, "canceled"))).toEqual([
    "refund.updated",
    "charge.refund.updated",
  ]);
  expect(charge.amount_refunded).toBe(0);
});

it("refunds are made, marked and listed over the API, and shown inside their charge on request", async () => {
  const { sdk, charge } = await openPaid();
  const first = await sdk.refunds.create({ payment_intent: charge.payment_intent, amount: 1000 });
  await sdk.refunds.create({ charge: charge.id, reason: "duplicate" });
  await expect(sdk.refunds.create({ charge: charge.id })).rejects.toMatchObject({
    code: "charge_already_refunded",
  });
  expect((await sdk.refunds.update(first.id, { metadata: { a: "1" } })).metadata).toEqual({ a: "1" });
  const { data } = await sdk.refunds.list({ payment_intent: charge.payment_intent });
  expect(data.map(({ amount, reason }) => [amount, reason])).toEqual([[3900, "duplicate"], [1000, null]]);
  expect(await sdk.charges.retrieve(charge.id)).not.toHaveProperty("refunds");
  const shown = await sdk.charges.retrieve(charge.id, { expand: ["refunds"] });
  expect(shown.refunds).toMatchObject({ object: "list", has_more: false });
  expect(shown.refunds?.data.map(({ amount }) => amount)).toEqual([3900, 1000]);
});

it("a fifth level of expansion is refused with Stripe's own code", async () => {
  const { sdk, invoice } = await openPaid();
  const path = "data.payment.payment_intent.latest_charge";
  const { data } = await sdk.invoicePayments.list({ invoice: invoice.id, expand: [path] });
  expect(data[0]?.payment).toMatchObject({ payment_intent: { latest_charge: { object: "charge" } } });
  await expect(sdk.invoicePayments.list({ invoice: invoice.id, expand: [`${path}.refunds`] }))
    .rejects.toMatchObject({
      statusCode: 400,
      code: "property_expansion_max_depth",
      message: `You cannot expand more than 4 levels of a property. Property: ${path}.refunds`,
    });
});
