import { describe, expect, it } from "vitest";
import { stripeWebhook } from "../../src/shared/vendors/stripe/webhook.ts";
import { everyPage, failure, openStripe } from "./stripe-setup.ts";

const TYPES = [
  "charge.refunded",
  "charge.dispute.created",
  "checkout.session.completed",
  "credit_note.created",
  "customer.created",
  "customer.deleted",
  "customer.subscription.created",
  "customer.subscription.deleted",
  "customer.subscription.updated",
  "customer.updated",
  "invoice.paid",
  "invoice.payment_failed",
  "invoice.upcoming",
  "invoice.voided",
  "payment_method.attached",
];

describe("what is caught up on", () => {
  it("is exactly what the webhook would have recorded, for every kind of event", async () => {
    const { sandbox, client, received, subscribe, clock, passSeconds } = await openStripe();
    const since = clock.now;
    const subscription = subscribe();
    const invoiceId = subscription.latest_invoice ?? "";
    passSeconds(60);
    sandbox.announceRenewal(subscription.id);
    sandbox.voidInvoice(sandbox.failPayment(subscription.id).id);
    const lineId = sandbox.state.invoices.get(invoiceId)?.lines.data[0]?.id ?? "";
    sandbox.creditNote(invoiceId, { lineId, amount: 100 });
    sandbox.dispute(sandbox.invoiceChargeId(invoiceId) ?? "");
    sandbox.updateCustomer(subscription.customer, { email: "p@example.test" });
    sandbox.changeCard(subscription.customer, "default");
    sandbox.completeCheckout({ email: "q@example.test", priceId: "price_month" });
    sandbox.deleteCustomer(subscription.customer);
    await sandbox.outbox.flush(1);
    const pages = await everyPage((cursor) =>
      client.listEvents({ types: TYPES, since, until: clock.now, cursor })
    );
    const caughtUp = pages.flat();
    expect(new Set(caughtUp.map(({ type }) => type))).toEqual(new Set(TYPES));
    expect(caughtUp.toReversed()).toEqual(received.filter(({ type }) => TYPES.includes(type)));
    expect(JSON.stringify(caughtUp)).not.toContain("example.test");
  });

  it("is all there when every webhook was dropped, for thirty days", async () => {
    const { sandbox, client, subscribe, clock, passSeconds } = await openStripe();
    await sandbox.outbox.flush(1);
    sandbox.outbox.faults.dropped = 1;
    const since = clock.now;
    subscribe();
    expect(sandbox.outbox.waiting).toBe(0);
    const list = async () =>
      (await client.listEvents({ types: ["invoice.paid"], since, until: clock.now, cursor: null })).entries;
    expect(await list()).toHaveLength(1);
    passSeconds(29 * 86_400);
    expect(await list()).toHaveLength(1);
    passSeconds(86_400);
    expect(await list()).toEqual([]);
  });

  it("has both ends of its window, to the second that Stripe counts in", async () => {
    const { sandbox, client, clock, passSeconds } = await openStripe();
    const from = clock.now.getTime();
    for (let i = 0; i < 4; i++) {
      sandbox.createCustomer({ metadata: { n: `${i}` } });
      passSeconds(1);
    }
    const count = async (since: number, until: number) => {
      const window = { since: new Date(from + since), until: new Date(from + until) };
      return (await client.listEvents({ types: ["customer.created"], ...window, cursor: null })).entries
        .length;
    };
    expect(await count(1000, 2000)).toBe(2);
    expect(await count(1000, 1000)).toBe(1);
    expect(await count(1500, 2000)).toBe(2);
    expect(await count(1000, 1500)).toBe(1);
    expect(await count(4000, 9000)).toBe(0);
  });

  it("comes page by page and has what happened before a cursor that Stripe no longer keeps", async () => {
    const { sandbox, client, clock, passSeconds } = await openStripe();
    const since = clock.now;
    for (let i = 0; i < 250; i++) {
      if (i % 50 === 0) passSeconds(1);
      sandbox.createCustomer({});
    }
    const query = { types: ["customer.created"], since, until: clock.now };
    const pages = await everyPage((cursor) => client.listEvents({ ...query, cursor }));
    expect(pages.map(({ length }) => length)).toEqual([100, 100, 50]);
    const [first] = pages;
    const page = await client.listEvents({ ...query, cursor: null });
    sandbox.state.events.delete(first?.at(-1)?.id ?? "");
    const rest = await everyPage((cursor) => client.listEvents({ ...query, cursor: cursor ?? page.next }));
    const ids = new Set(rest.flat().map(({ id }) => id));
    expect(pages.slice(1).flat().filter(({ id }) => !ids.has(id))).toEqual([]);
  });

  it("is nothing when no type is asked for, and refused for more than twenty", async () => {
    const { sandbox, client, subscribe, clock } = await openStripe();
    subscribe();
    const window = { since: clock.now, until: clock.now, cursor: null };
    expect(await client.listEvents({ types: [], ...window })).toEqual({ entries: [], next: null });
    expect(sandbox.faults.calls.get("list events")).toBeUndefined();
    const types = Array.from({ length: 21 }, (_, i) => `type.${i}`);
    expect(await failure(client.listEvents({ types, ...window }))).toMatchObject({
      failure: "refused",
      details: { status: 400 },
    });
  });
});

describe("webhooks of objects without an id of their own, or with a new kind of it", () => {
  const read = (type: string, object: object) =>
    stripeWebhook.read({
      headers: new Headers(),
      body: new TextEncoder().encode(
        JSON.stringify({ id: "evt_1", object: "event", type, created: 1803891600, data: { object } }),
      ),
    }).attributes;

  it("name the customer and the subscription of a coming invoice, which has no id", () => {
    const parent = { type: "subscription_details", subscription_details: { subscription: "sub_1" } };
    for (const id of [{ id: null }, {}]) {
      const attributes = read("invoice.upcoming", { ...id, object: "invoice", customer: "cus_1", parent });
      expect(attributes).toEqual({
        object_type: "invoice",
        created: "2027-03-01T09:00:00.000Z",
        customer_id: "cus_1",
        subscription_id: "sub_1",
      });
    }
  });

  it("name the session, the customer and the subscription of a completed Checkout, and nobody's address", () => {
    const attributes = read("checkout.session.completed", {
      id: "cs_1",
      object: "checkout.session",
      customer: "cus_1",
      subscription: "sub_1",
      client_reference_id: "canary",
      customer_details: { email: "canary@example.test" },
      metadata: { note: "canary" },
    });
    expect(attributes).toMatchObject({ object_id: "cs_1", customer_id: "cus_1", subscription_id: "sub_1" });
    expect(JSON.stringify(attributes)).not.toContain("canary");
  });

  it("name a customer by its own id", () => {
    for (const type of ["customer.created", "customer.updated", "customer.deleted"]) {
      expect(read(type, { id: "cus_1", object: "customer", email: "x" })).toMatchObject({
        object_id: "cus_1",
        customer_id: "cus_1",
      });
    }
  });
});

describe("what was paid", () => {
  it("is listed by when it was paid, however long ago, also where Stripe lists the event no more", async () => {
    const { sandbox, client, subscribe, clock, passSeconds } = await openStripe();
    const before = subscribe();
    passSeconds(86_400);
    const since = clock.now;
    const first = subscribe();
    const firstInvoice = String(first.latest_invoice);
    const late = sandbox.failPayment(before.id);
    const open = sandbox.failPayment(first.id);
    passSeconds(20 * 86_400);
    sandbox.payInvoice(late.id);
    const until = clock.now;
    passSeconds(40 * 86_400);
    subscribe();
    const pages = await everyPage((cursor) => client.listPaidInvoices({ since, until, cursor }));
    expect(pages.flat().sort()).toEqual([firstInvoice, late.id].sort());
    expect(pages.flat()).not.toContain(open.id);
  });
});
