import { describe, expect, it } from "vitest";
import { everyPage, failure, openStripe } from "./stripe-setup.ts";

const request = { priceId: "price_month", metadata: { ck: "a" }, idempotencyKey: "subscribe:1" };

describe("a new subscription", () => {
  it("is charged at once and carries what was given", async () => {
    const { sandbox, client, sent, clock } = await openStripe();
    const customerId = sandbox.createCustomer({}).id;
    const made = await client.createSubscription({ ...request, customerId });
    expect(made).toMatchObject({
      customerId,
      status: "active",
      metadata: { ck: "a" },
      createdAt: clock.now,
      items: [{ priceId: "price_month", quantity: 1, interval: "month", intervalCount: 1 }],
    });
    expect(await client.getSubscription(made.id)).toEqual(made);
    const invoiceId = sandbox.state.subscriptions.get(made.id)?.latest_invoice ?? "";
    expect(await client.getInvoice(invoiceId)).toMatchObject({ status: "paid" });
    expect(sent.map(({ path, key }) => [path, key])).toEqual([["/v1/subscriptions", "subscribe:1"]]);
    expect(Object.fromEntries(sent[0]?.form ?? [])).toMatchObject({
      payment_behavior: "error_if_incomplete",
      off_session: "true",
    });
    expect(sent[0]?.form.has("default_payment_method")).toBe(false);
  });

  it("is the same one when the key is sent again after a lost answer", async () => {
    const { sandbox, client } = await openStripe();
    const customerId = sandbox.createCustomer({ card: "on_file" }).id;
    sandbox.faults.add({ operation: "create subscription", kind: "lose_answer", times: 1 });
    const create = () => client.createSubscription({ ...request, customerId });
    expect(await failure(create())).toMatchObject({ failure: "unanswered" });
    expect((await create()).id).toBe((await create()).id);
    expect(sandbox.state.subscriptions.size).toBe(1);
  });

  it("is charged to a card on file that is nobody's default", async () => {
    const { sandbox, client, sent } = await openStripe();
    const { customer } = sandbox.completeCheckout({ email: "p@example.test", priceId: "price_month" });
    const made = await client.createSubscription({
      ...request,
      customerId: customer,
      priceId: "price_quarter",
    });
    expect(made.status).toBe("active");
    const [card] = sandbox.state.paymentMethods.group(customer).keys();
    expect(sent[0]?.form.get("default_payment_method")).toBe(card);
  });

  it("is refused with nothing made when there is no card, or the card is declined", async () => {
    const { sandbox, client } = await openStripe();
    const create = (customerId: string, idempotencyKey: string) =>
      failure(client.createSubscription({ ...request, customerId, idempotencyKey }));
    expect(await create(sandbox.createCustomer({ card: "none" }).id, "k1")).toMatchObject({
      failure: "refused",
      details: { status: 400, code: "resource_missing" },
    });
    expect(await create(sandbox.createCustomer({ card: "declined" }).id, "k2")).toMatchObject({
      failure: "refused",
      details: { status: 402, code: "card_declined" },
    });
    const deleted = sandbox.createCustomer({}).id;
    sandbox.deleteCustomer(deleted);
    expect(await create(deleted, "k3")).toMatchObject({ failure: "refused", details: { status: 400 } });
    expect([sandbox.state.subscriptions.size, sandbox.state.invoices.size]).toEqual([0, 0]);
  });
});

describe("a pause", () => {
  it("sets and clears collection and merges metadata, each in one call", async () => {
    const { sandbox, client, subscribe, sent } = await openStripe();
    const { id } = subscribe();
    await client.pauseCollection(id, { paused_by: "renewal", other: "1" });
    const paused = await client.getSubscription(id);
    expect(paused).toMatchObject({
      status: "active",
      collectionPaused: true,
      metadata: { paused_by: "renewal", other: "1" },
    });
    expect(sandbox.renew(id).status).toBe("void");
    await client.resumeCollection(id, { paused_by: "" });
    expect(await client.getSubscription(id)).toMatchObject({
      collectionPaused: false,
      metadata: { other: "1" },
    });
    expect((await client.getSubscription(id)).metadata).not.toHaveProperty("paused_by");
    expect(sent.map(({ path }) => path)).toEqual(Array(2).fill(`/v1/subscriptions/${id}`));
  });

  it("is refused for a subscription that has ended", async () => {
    const { sandbox, client, subscribe } = await openStripe();
    const { id } = subscribe();
    sandbox.cancel(id);
    expect(await failure(client.pauseCollection(id, {}))).toMatchObject({
      failure: "refused",
      operation: "pause collection",
    });
    expect(await failure(client.resumeCollection("sub_none", {}))).toMatchObject({
      details: { status: 404 },
    });
  });
});

describe("a move to another price", () => {
  it("of the same interval charges nothing and leaves the billing date, paused or not", async () => {
    const { sandbox, client, subscribe, passSeconds } = await openStripe();
    for (const paused of [false, true]) {
      const { id } = subscribe();
      if (paused) sandbox.pauseCollection(id);
      const before = await client.getSubscription(id);
      const invoices = sandbox.state.invoices.size;
      passSeconds(86_400);
      const move = {
        subscriptionId: id,
        itemId: before.items[0]?.id ?? "",
        priceId: "price_month_b",
        quantity: before.items[0]?.quantity ?? null,
        idempotencyKey: `move:${id}`,
      };
      await client.moveItemToPrice(move);
      await client.moveItemToPrice(move);
      const [item] = before.items;
      expect(await client.getSubscription(id)).toEqual({
        ...before,
        items: [{ ...item, priceId: "price_month_b" }],
      });
      expect(sandbox.state.invoices.size).toBe(invoices);
      const { lines } = await client.getInvoice(sandbox.renew(id).id);
      expect(lines.map(({ priceId, amount }) => [priceId, amount])).toEqual([["price_month_b", 5900]]);
    }
  });

  it("of another interval is refused, and charges nothing", async () => {
    const { sandbox, client, subscribe } = await openStripe();
    const { id, items } = subscribe();
    const before = await client.getSubscription(id);
    const itemId = items.data[0]?.id ?? "";
    expect(
      await failure(
        client.moveItemToPrice({
          subscriptionId: id,
          itemId,
          priceId: "price_quarter",
          quantity: 1,
          idempotencyKey: "move",
        }),
      ),
    ).toMatchObject({ failure: "refused", operation: "move subscription item", details: { status: 400 } });
    expect(await client.getSubscription(id)).toEqual(before);
    expect(sandbox.state.invoices.size).toBe(1);
  });
});

describe("the list of subscriptions", () => {
  it("leaves out the ended ones unless asked, and keeps to a customer and a price", async () => {
    const { sandbox, client, subscribe } = await openStripe();
    const customerId = sandbox.createCustomer({}).id;
    const ended = subscribe(customerId).id;
    const quarterly = subscribe(customerId, "price_quarter").id;
    const other = subscribe().id;
    sandbox.cancel(ended);
    const ids = async (query: Parameters<typeof client.listSubscriptions>[0]) =>
      (await client.listSubscriptions(query)).entries.map(({ id }) => id);
    expect(await ids({})).toEqual([other, quarterly]);
    expect(await ids({ ended: true })).toEqual([other, quarterly, ended]);
    expect(await ids({ customerId })).toEqual([quarterly]);
    expect(await ids({ customerId, ended: true, priceId: "price_month" })).toEqual([ended]);
    expect(await ids({ customerId: "cus_none" })).toEqual([]);
    expect((await client.listSubscriptions({ customerId })).entries).toEqual([
      await client.getSubscription(quarterly),
    ]);
  });

  it("comes page by page, one call each, and goes on when the one at a page's end is gone", async () => {
    const { sandbox, client, subscribe, passSeconds } = await openStripe();
    const customerId = sandbox.createCustomer({}).id;
    const ids = Array.from({ length: 210 }, () => {
      passSeconds(1);
      return subscribe(customerId).id;
    });
    const pages = await everyPage((cursor) => client.listSubscriptions({ cursor }));
    expect(pages.map(({ length }) => length)).toEqual([100, 100, 10]);
    expect(pages.flat().map(({ id }) => id)).toEqual(ids.toReversed());
    expect(sandbox.faults.calls.get("list subscriptions")).toBe(3);
    const first = await client.listSubscriptions({ customerId });
    sandbox.state.subscriptions.delete(first.entries.at(-1)?.id ?? "");
    const second = await client.listSubscriptions({ customerId, cursor: first.next });
    expect(second.entries.map(({ id }) => id)).toEqual(ids.toReversed().slice(100, 200));
  });

  it("has all the items of each", async () => {
    const { sandbox, client } = await openStripe();
    const customerId = sandbox.createCustomer({}).id;
    const priceIds = Array.from({ length: 12 }, () => ({ price: "price_month", quantity: 1 }));
    sandbox.subscribe({ customerId, priceIds });
    expect((await client.listSubscriptions({})).entries[0]?.items).toHaveLength(12);
    expect((await client.listCustomers(null)).entries[0]?.subscriptions[0]?.items).toHaveLength(12);
  });
});
