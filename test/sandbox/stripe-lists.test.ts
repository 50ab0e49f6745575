import { describe, expect, it } from "vitest";
import { Shelf } from "../../scripts/sandbox/shelf.ts";
import { choose, pageOf } from "../../scripts/sandbox/stripe/lists.ts";
import { openStripe } from "../vendors/stripe-setup.ts";

interface Thing {
  id: string;
  owner: string;
}

function shelfOf(count: number): Shelf<Thing> {
  const shelf = new Shelf<Thing>(({ owner }) => owner);
  for (let i = 0; i < count; i++) shelf.set(`t${i}`, { id: `t${i}`, owner: `o${i % 2}` });
  return shelf;
}

describe("a shelf", () => {
  it("is walked newest first, from anywhere, over holes of deleted objects", () => {
    const shelf = shelfOf(6);
    shelf.delete("t3");
    const ids = (walk: Iterable<Thing>) => [...walk].map(({ id }) => id);
    expect(ids(shelf.newestFirst())).toEqual(["t5", "t4", "t2", "t1", "t0"]);
    expect(ids(shelf.newestFirst("t4"))).toEqual(["t2", "t1", "t0"]);
    expect(ids(shelf.newerThan("t2"))).toEqual(["t4", "t5"]);
    expect(ids(shelf.group("o1").newestFirst())).toEqual(["t5", "t1"]);
    expect(ids(shelf.only(undefined).newestFirst("t1"))).toEqual(["t0"]);
    expect(ids(shelf.group("nobody").newestFirst())).toEqual([]);
    expect([shelf.size, shelf.delete("t3")]).toEqual([5, false]);
    shelf.set("t2", { id: "t2", owner: "o0" });
    expect(ids(shelf.newestFirst())).toEqual(["t5", "t4", "t2", "t1", "t0"]);
    shelf.clear();
    expect([ids(shelf.newestFirst()), ids(shelf.group("o1").newestFirst())]).toEqual([[], []]);
  });
});

describe("a page", () => {
  it("looks at no more of 100,000 than it holds, first or far down", () => {
    const shelf = shelfOf(100_000);
    let looks = 0;
    const selection = choose(shelf, {
      where: () => {
        looks += 1;
        return true;
      },
    });
    for (const page of [{}, { starting_after: "t50000" }, { ending_before: "t50000" }]) {
      looks = 0;
      expect(pageOf(selection, { limit: 100, ...page }, "thing", "/v1/things").data).toHaveLength(100);
      expect(looks).toBe(101);
    }
  });

  it("ends where nothing older is wanted, and refuses a cursor that is gone", () => {
    const shelf = shelfOf(10);
    const selection = choose(shelf, { endsAt: ({ id }) => id < "t7", exists: ({ id }) => id !== "t8" });
    expect(pageOf(selection, {}, "thing", "/v1/things")).toMatchObject({
      data: [{ id: "t9" }, { id: "t7" }],
      has_more: false,
    });
    for (const cursor of ["t8", "t77"]) {
      expect(() => pageOf(selection, { starting_after: cursor }, "thing", "/v1/things")).toThrow(/No such/);
    }
  });
});

describe("the lists over HTTP", () => {
  it("bring a customer's subscriptions inside the customer, those that have not ended, ten at most", async () => {
    const { sandbox, sdk, subscribe } = await openStripe();
    const { id } = sandbox.createCustomer({});
    const made = Array.from({ length: 12 }, () => subscribe(id).id);
    sandbox.cancel(made[0] ?? "");
    const { data: [customer] } = await sdk.customers.list({ expand: ["data.subscriptions"] });
    expect(customer?.subscriptions).toMatchObject({ object: "list", has_more: true });
    expect(customer?.subscriptions?.data.map((one) => one.id)).toEqual(made.toReversed().slice(0, 10));
    expect((await sdk.customers.list()).data[0]).not.toHaveProperty("subscriptions");
  });

  it("page on behind a subscription that was canceled meanwhile", async () => {
    const { sandbox, sdk, subscribe } = await openStripe();
    const { id: customer } = sandbox.createCustomer({});
    const made = Array.from({ length: 4 }, () => subscribe(customer).id).toReversed();
    sandbox.cancel(made[1] ?? "");
    const page = await sdk.subscriptions.list({ customer, starting_after: made[1] ?? "", limit: 1 });
    expect([page.data.map(({ id }) => id), page.has_more]).toEqual([[made[2]], true]);
    const { data } = await sdk.subscriptions.list({ customer, status: "ended" });
    expect(data.map(({ id }) => id)).toEqual([made[1]]);
  });

  it("show an imported customer, without an event or an invoice", async () => {
    const { sandbox, sdk } = await openStripe();
    const before = sandbox.state.events.size;
    const { customer, subscription } = sandbox.importCustomer({
      email: "p@example.test",
      priceId: "price_month",
      subscriptionMetadata: { a: "1" },
    });
    expect(sandbox.importCustomer({}).subscription).toBeNull();
    expect((await sdk.subscriptions.list({ customer: customer.id })).data).toMatchObject([
      { id: subscription?.id, status: "active", metadata: { a: "1" }, latest_invoice: null },
    ]);
    expect([sandbox.state.events.size, sandbox.state.invoices.size]).toEqual([before, 0]);
    expect(sandbox.renew(subscription?.id ?? "").status).toBe("paid");
  });

  it("refuse a customer that was deleted as a cursor", async () => {
    const { sandbox, sdk } = await openStripe();
    const { id } = sandbox.createCustomer({});
    sandbox.deleteCustomer(id);
    await expect(sdk.customers.list({ starting_after: id })).rejects.toMatchObject({
      statusCode: 400,
      code: "resource_missing",
      param: "starting_after",
    });
  });
});
