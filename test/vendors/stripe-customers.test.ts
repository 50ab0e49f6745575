import { describe, expect, it } from "vitest";
import { everyPage, failure, openStripe } from "./stripe-setup.ts";

describe("customers", () => {
  it("reads a customer with its metadata, and null for one that was deleted or never was", async () => {
    const { sandbox, client } = await openStripe();
    const { id } = sandbox.createCustomer({
      email: "person@example.test",
      phone: "+15550100",
      metadata: { ck_customer: "7" },
    });
    expect(await client.getCustomer(id)).toEqual({
      id,
      email: "person@example.test",
      phone: "+15550100",
      metadata: { ck_customer: "7" },
    });
    sandbox.deleteCustomer(id);
    expect(await client.getCustomer(id)).toBeNull();
    expect(await client.getCustomer("cus_none")).toBeNull();
  });

  it("fails, and does not say that nobody is there, when Stripe does not answer", async () => {
    const { sandbox, client } = await openStripe();
    const { id } = sandbox.createCustomer({});
    sandbox.faults.add({ operation: "get customer", kind: "status", status: 500, times: 1 });
    expect(await failure(client.getCustomer(id))).toMatchObject({
      failure: "unanswered",
      operation: "get customer",
    });
    sandbox.faults.add({ operation: "get customer", kind: "status", status: 404, times: 1 });
    expect(await failure(client.getCustomer(id))).toMatchObject({ failure: "refused" });
  });

  it("changes what is given, clears what is null, and leaves what is absent", async () => {
    const { sandbox, client } = await openStripe();
    const { id } = sandbox.createCustomer({ email: "old@example.test", phone: "+15550100" });
    await client.updateCustomer(id, { email: "new@example.test" });
    expect(await client.getCustomer(id)).toMatchObject({ email: "new@example.test", phone: "+15550100" });
    await client.updateCustomer(id, { phone: null });
    expect(await client.getCustomer(id)).toMatchObject({ email: "new@example.test", phone: null });
    await client.updateCustomer(id, { email: null, phone: "+15550101" });
    expect(await client.getCustomer(id)).toMatchObject({ email: null, phone: "+15550101" });
    sandbox.deleteCustomer(id);
    expect(await failure(client.updateCustomer(id, { email: "x@example.test" }))).toMatchObject({
      failure: "refused",
      details: { status: 404, code: "resource_missing" },
    });
  });

  it("lists customers newest first, each with its subscriptions that have not ended, a page a call", async () => {
    const { sandbox, client, subscribe } = await openStripe();
    const ids = Array.from({ length: 130 }, (_, i) => sandbox.createCustomer({ metadata: { n: `${i}` } }).id);
    const last = ids.at(-1) ?? "";
    const gone = subscribe(last);
    const kept = subscribe(last);
    sandbox.cancel(gone.id);
    const pages = await everyPage((cursor) => client.listCustomers(cursor));
    expect(pages.map(({ length }) => length)).toEqual([100, 30]);
    expect(pages.flat().map(({ id }) => id)).toEqual(ids.toReversed());
    expect(sandbox.faults.calls.get("list customers")).toBe(2);
    expect([...sandbox.faults.calls.keys()]).toEqual(["list customers"]);
    expect(pages[0]?.[0]).toMatchObject({ id: last, metadata: { n: "129" } });
    expect(pages[0]?.[0]?.subscriptions).toEqual([await client.getSubscription(kept.id)]);
    expect(pages[0]?.[1]?.subscriptions).toEqual([]);
  });

  it("reads on where a customer has more subscriptions than come inside it", async () => {
    const { sandbox, client, subscribe } = await openStripe();
    const { id } = sandbox.createCustomer({});
    const made = Array.from({ length: 12 }, () => subscribe(id).id);
    const { entries } = await client.listCustomers(null);
    expect(entries[0]?.subscriptions.map((one) => one.id)).toEqual(made.toReversed());
  });

  it("leaves nobody out when the customer at the end of a page is deleted before the next", async () => {
    const { sandbox, client, passSeconds } = await openStripe();
    const ids = Array.from({ length: 120 }, (_, i) => {
      if (i % 40 === 0) passSeconds(1);
      return sandbox.createCustomer({}).id;
    });
    const first = await client.listCustomers(null);
    const end = first.entries.at(-1)?.id ?? "";
    sandbox.deleteCustomer(end);
    const rest = await everyPage((cursor) => client.listCustomers(cursor ?? first.next));
    const seen = new Set([...first.entries, ...rest.flat()].map(({ id }) => id));
    expect(ids.filter((id) => !seen.has(id))).toEqual([]);
    // The overlap is that one second, not everything from the start.
    expect(rest.flat().length).toBeLessThan(60);
  });

  it("does not take a cursor that is none of its own", async () => {
    const { client } = await openStripe();
    await expect(client.listCustomers("nonsense")).rejects.toThrow(RangeError);
  });
});

describe("payment methods", () => {
  it("are there as a default, as an old-style source, or merely on file", async () => {
    const { sandbox, client } = await openStripe();
    const has = (id: string) => client.hasPaymentMethod(id);
    const withDefault = sandbox.createCustomer({});
    expect(await has(withDefault.id)).toBe(true);
    expect(sandbox.faults.calls.get("list payment methods")).toBeUndefined();
    expect(await has(sandbox.createCustomer({ card: "on_file" }).id)).toBe(true);
    const old = sandbox.createCustomer({ card: "none" });
    expect(await has(old.id)).toBe(false);
    old.default_source = "card_1";
    expect(await has(old.id)).toBe(true);
    sandbox.changeCard(withDefault.id, "none");
    expect(await has(withDefault.id)).toBe(false);
    sandbox.changeCard(withDefault.id, "on_file");
    expect(await has(withDefault.id)).toBe(true);
  });

  it("are nobody's once the customer is deleted", async () => {
    const { sandbox, client } = await openStripe();
    const { id } = sandbox.createCustomer({});
    sandbox.deleteCustomer(id);
    expect(await client.hasPaymentMethod(id)).toBe(false);
  });
});

describe("sign-up", () => {
  it("reads who completed a Checkout, and the subscription that came of it", async () => {
    const { sandbox, client, received } = await openStripe();
    const session = sandbox.completeCheckout({
      email: "new@example.test",
      clientReferenceId: "signup-1",
      metadata: { plan: "x" },
      priceId: "price_month",
    });
    const read = await client.getCheckoutSession(session.id);
    expect(read).toEqual({
      id: session.id,
      customerId: session.customer,
      clientReferenceId: "signup-1",
      email: "new@example.test",
      subscriptionId: session.subscription,
      metadata: { plan: "x" },
    });
    expect(await client.getSubscription(read.subscriptionId ?? "")).toMatchObject({ status: "active" });
    expect(await client.hasPaymentMethod(session.customer)).toBe(true);
    expect(await failure(client.getCheckoutSession("cs_none"))).toMatchObject({ details: { status: 404 } });
    await sandbox.outbox.flush(1);
    expect(received.at(-1)).toMatchObject({
      type: "checkout.session.completed",
      attributes: {
        object_id: session.id,
        object_type: "checkout.session",
        customer_id: session.customer,
        subscription_id: session.subscription,
      },
    });
  });

  it("reads a price, one-off ones included", async () => {
    const { sandbox, client } = await openStripe();
    expect(await client.getPrice("price_quarter")).toEqual({
      id: "price_quarter",
      active: true,
      amount: 12_900,
      isMetered: false,
      currency: "usd",
      interval: "month",
      intervalCount: 3,
    });
    const price = sandbox.state.prices.get("price_quarter");
    if (price) Object.assign(price, { recurring: null, type: "one_time", unit_amount: null });
    expect(await client.getPrice("price_quarter")).toMatchObject({
      amount: null,
      interval: null,
      intervalCount: null,
    });
    expect(await failure(client.getPrice("price_none"))).toMatchObject({ details: { status: 404 } });
  });
});
