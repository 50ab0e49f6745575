import type Stripe from "stripe";
import { describe, expect, it } from "vitest";
import { openStripe } from "../vendors/stripe-setup.ts";

/** A monthly subscription, one day on, and the later events at its endpoint. */
async function open() {
  const world = await openStripe("2027-01-31T12:00:00.000Z");
  const subscription = world.subscribe();
  world.passSeconds(86_400);
  await world.sandbox.outbox.flush(1);
  world.received.length = 0;
  const item = subscription.items.data[0]?.id ?? "";
  const update = (params: Stripe.SubscriptionUpdateParams) =>
    world.sdk.subscriptions.update(subscription.id, params);
  const move = (price: string, more: Stripe.SubscriptionUpdateParams = {}) =>
    update({ items: [{ id: item, price }], proration_behavior: "none", ...more });
  async function types(): Promise<string[]> {
    await world.sandbox.outbox.flush(1);
    return world.received.splice(0).map(({ type }) => type);
  }
  return { ...world, subscription, item, update, move, types };
}

const day = (epochSeconds: number | undefined) =>
  new Date((epochSeconds ?? 0) * 1000).toISOString().slice(0, 10);

describe("another price for an item", () => {
  it("of the same interval swaps the price alone: no invoice, one event", async () => {
    const { move, types, sandbox } = await open();
    const moved = await move("price_month_b", { billing_cycle_anchor: { type: "unchanged" } });
    expect(moved.items.data[0]?.price.id).toBe("price_month_b");
    expect(day(moved.items.data[0]?.current_period_end)).toBe("2027-02-28");
    expect(await types()).toEqual(["customer.subscription.updated"]);
    expect([...sandbox.state.events.values()].at(-1)?.data.previous_attributes).toMatchObject({
      items: { data: [{ price: { id: "price_month" } }] },
    });
    expect(sandbox.state.invoices.size).toBe(1);
  });

  it("the same price from now on begins the next period early, and charges for it", async () => {
    const { sandbox, subscription, item } = await open();
    const before = sandbox.state.invoices.size;
    sandbox.changePrice(subscription.id, {
      itemId: item,
      priceId: "price_month",
      prorates: false,
      anchor: "now",
    });
    expect(day(subscription.items.data[0]?.current_period_end)).toBe("2027-03-01");
    expect(sandbox.state.invoices.size).toBe(before + 1);
    expect([...sandbox.state.invoices.values()].at(-1)).toMatchObject({ status: "paid", amount_paid: 4900 });
  });

  it("is prorated on the next invoice unless that is turned off", async () => {
    const { move, sandbox, subscription } = await open();
    await move("price_month_b", { proration_behavior: "create_prorations" });
    const { lines } = sandbox.renew(subscription.id);
    expect(lines.data.map(({ amount }) => amount)).toEqual([-4725, 5689, 5900]);
  });

  it("of another interval starts a period and charges it at once, without a proration too", async () => {
    const { move, types, sandbox } = await open();
    const moved = await move("price_quarter");
    expect(day(moved.billing_cycle_anchor)).toBe("2027-02-01");
    expect(day(moved.items.data[0]?.current_period_end)).toBe("2027-05-01");
    const invoice = [...sandbox.state.invoices.values()].at(-1);
    expect(invoice).toMatchObject({
      id: moved.latest_invoice,
      status: "paid",
      billing_reason: "subscription_update",
      amount_paid: 12_900,
    });
    const sent = await types();
    expect(sent[0]).toBe("customer.subscription.updated");
    expect(sent).toContain("invoice.paid");
  });

  it("of another interval is refused where the billing date must stay", async () => {
    const { move, types, sandbox } = await open();
    await expect(move("price_quarter", { billing_cycle_anchor: { type: "unchanged" } })).rejects
      .toMatchObject({ statusCode: 400, param: "billing_cycle_anchor" });
    expect([await types(), sandbox.state.invoices.size]).toEqual([[], 1]);
  });

  it("keeps a pause: the invoice that it makes at once is voided", async () => {
    const { move, update, sandbox } = await open();
    await update({ pause_collection: { behavior: "void", resumes_at: 1_900_000_000 } });
    const same = await move("price_month_b");
    expect(same.pause_collection).toEqual({ behavior: "void", resumes_at: 1_900_000_000 });
    expect((await move("price_quarter")).pause_collection).not.toBeNull();
    expect([...sandbox.state.invoices.values()].at(-1)?.status).toBe("void");
  });

  it("goes with metadata and a pause in one change", async () => {
    const { update, item, types } = await open();
    const changed = await update({
      items: [{ id: item, price: "price_month_b" }],
      metadata: { a: "1" },
      pause_collection: { behavior: "void" },
    });
    expect(changed).toMatchObject({
      metadata: { a: "1" },
      pause_collection: { behavior: "void", resumes_at: null },
    });
    expect(await types()).toEqual([
      "invoiceitem.created",
      "invoiceitem.created",
      "customer.subscription.updated",
    ]);
  });

  it("needs an item and a price that exist, and a subscription that has not ended", async () => {
    const { move, update, sandbox, subscription } = await open();
    await expect(move("price_none")).rejects.toMatchObject({
      code: "resource_missing",
      param: "items[0][price]",
    });
    await expect(update({ items: [{ id: "si_none", price: "price_month" }] })).rejects.toMatchObject({
      code: "resource_missing",
      param: "items[0][id]",
    });
    // The form of older API versions.
    const old: object = { billing_cycle_anchor: "unchanged" };
    await expect(update(old)).rejects.toMatchObject({ statusCode: 400, param: "billing_cycle_anchor" });
    sandbox.cancel(subscription.id);
    await expect(move("price_month_b")).rejects.toMatchObject({ statusCode: 400 });
    expect((await update({ metadata: { late: "1" } })).metadata).toEqual({ late: "1" });
  });
});

describe("a pause by status", () => {
  it("that ends within the period charges nothing; one that outlasted it begins a period and charges", async () => {
    const { sandbox, subscription, passSeconds, types } = await open();
    const end = subscription.items.data[0]?.current_period_end;
    sandbox.pause(subscription.id);
    passSeconds(5 * 86_400);
    sandbox.resume(subscription.id);
    expect(subscription.items.data[0]?.current_period_end).toBe(end);
    expect(sandbox.state.invoices.size).toBe(1);
    sandbox.pause(subscription.id);
    passSeconds(60 * 86_400);
    await types();
    sandbox.resume(subscription.id);
    expect(day(subscription.items.data[0]?.current_period_start)).toBe("2027-04-07");
    expect([...sandbox.state.invoices.values()].at(-1)).toMatchObject({ status: "paid", amount_paid: 4900 });
    const sent = await types();
    expect(sent).toContain("customer.subscription.resumed");
    expect(sent).toContain("invoice.paid");
  });
});
