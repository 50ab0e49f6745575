import { describe, expect, it } from "vitest";
import { openPaid } from "./stripe-money.ts";

const gone = (amount: number, fee = 1500) => ({ amount: -amount, fee, net: -amount - fee });

describe("an inquiry", () => {
  it("takes no money, leaves the charge refundable and marked as disputed, and is closed without escalation", async () => {
    const { sandbox, charge, sent } = await openPaid();
    expect(await sent(() => sandbox.dispute(charge.id, { status: "warning_needs_response" }))).toEqual([
      "charge.dispute.created",
    ]);
    const [inquiry] = sandbox.state.disputes.values();
    expect(inquiry).toMatchObject({
      status: "warning_needs_response",
      balance_transactions: [],
      is_charge_refundable: true,
      payment_method_details: { card: { case_type: "inquiry" } },
    });
    expect(charge.disputed).toBe(true);
    const id = inquiry?.id ?? "";
    expect(await sent(() => sandbox.changeDispute(id, "warning_under_review"))).toEqual([
      "charge.dispute.updated",
    ]);
    expect(await sent(() => sandbox.closeDispute(id, "warning_closed"))).toEqual(["charge.dispute.closed"]);
    expect(charge.disputed).toBe(true);
    expect(() => sandbox.changeDispute(id, "needs_response")).toThrow("warning_closed");
  });

  it("becomes a chargeback, which takes the money and refuses a refund until it is won", async () => {
    const { sandbox, charge, sent } = await openPaid();
    const { id } = sandbox.dispute(charge.id, { status: "warning_needs_response" });
    expect(await sent(() => sandbox.changeDispute(id, "needs_response"))).toEqual([
      "charge.dispute.updated",
      "charge.dispute.funds_withdrawn",
    ]);
    expect(sandbox.state.disputes.get(id)).toMatchObject({
      balance_transactions: [gone(4900)],
      is_charge_refundable: false,
      payment_method_details: { card: { case_type: "chargeback" } },
    });
    expect(() => sandbox.refund(charge.id)).toThrow("charged back");
    sandbox.changeDispute(id, "under_review");
    expect(await sent(() => sandbox.closeDispute(id, "won"))).toEqual([
      "charge.dispute.closed",
      "charge.dispute.funds_reinstated",
    ]);
    expect(sandbox.state.disputes.get(id)?.balance_transactions).toMatchObject([gone(4900), {
      amount: 4900,
    }]);
    expect(sandbox.refund(charge.id).amount).toBe(4900);
  });

  it("ends with a full refund, not with a part", async () => {
    const { sandbox, charge, sent } = await openPaid();
    const { id } = sandbox.dispute(charge.id, { status: "warning_needs_response" });
    sandbox.refund(charge.id, 900);
    expect(sandbox.state.disputes.get(id)?.status).toBe("warning_needs_response");
    expect(await sent(() => sandbox.refund(charge.id))).toEqual([
      "refund.created",
      "charge.refunded",
      "charge.dispute.closed",
    ]);
    expect(sandbox.state.disputes.get(id)?.status).toBe("warning_closed");
  });
});

describe("a chargeback", () => {
  it("is about a part of the charge, and is lost for good, or won late", async () => {
    const { sandbox, sdk, charge, sent } = await openPaid();
    const { id } = sandbox.dispute(charge.id, { amount: 1900, reason: "product_not_received" });
    expect((await sdk.disputes.list({ charge: charge.id })).data).toMatchObject([
      { id, amount: 1900, reason: "product_not_received", status: "needs_response" },
    ]);
    expect(await sent(() => sandbox.closeDispute(id, "lost"))).toEqual(["charge.dispute.closed"]);
    expect(() => sandbox.refund(charge.id)).toThrow("charged back");
    expect(await sent(() => sandbox.changeDispute(id, "won"))).toEqual([
      "charge.dispute.closed",
      "charge.dispute.funds_reinstated",
    ]);
  });

  it("makes a refund fail that was pending", async () => {
    const { sandbox, charge, sent } = await openPaid();
    const { id } = sandbox.refund(charge.id, 1000, { status: "pending" });
    expect(await sent(() => sandbox.dispute(charge.id))).toEqual([
      "charge.dispute.created",
      "charge.dispute.funds_withdrawn",
      "refund.updated",
      "charge.refund.updated",
      "refund.failed",
    ]);
    expect(sandbox.state.refunds.get(id)?.failure_reason).toBe("charge_for_pending_refund_disputed");
    expect(charge.amount_refunded).toBe(0);
  });
});

it("a prevented dispute is born so; blocked it takes nothing, resolved it takes the money without a fee", async () => {
  const { sandbox, charge, sent } = await openPaid();
  const prevent = (prevention: "block" | "resolution") => () =>
    sandbox.dispute(charge.id, { status: "prevented", prevention });
  expect(await sent(prevent("block"))).toEqual(["charge.dispute.created"]);
  expect(await sent(prevent("resolution"))).toEqual([
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
  ]);
  expect([...sandbox.state.disputes.values()]).toMatchObject([
    {
      balance_transactions: [],
      is_charge_refundable: true,
      payment_method_details: { card: { case_type: "block" } },
    },
    {
      balance_transactions: [gone(4900, 0)],
      is_charge_refundable: false,
      payment_method_details: { card: { case_type: "resolution" } },
    },
  ]);
});

it("a bank debit that comes back late is a dispute lost from the start; its charge stays succeeded", async () => {
  const { sandbox, charge, sent } = await openPaid();
  expect(await sent(() => sandbox.returnDebit(charge.id))).toEqual([
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.closed",
  ]);
  expect([...sandbox.state.disputes.values()]).toMatchObject([{
    status: "lost",
    reason: "insufficient_funds",
  }]);
  expect(charge).toMatchObject({ status: "succeeded", paid: true, disputed: true });
});
