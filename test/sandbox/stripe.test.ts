import Stripe from "stripe";
import { afterEach, describe, expect, it } from "vitest";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { makeStripeSandbox, type StripeSandboxOptions } from "../../scripts/sandbox/stripe.ts";
import { API_VERSION } from "../../scripts/sandbox/stripe/objects.ts";
import { periodEnd } from "../../scripts/sandbox/stripe/periods.ts";
import type { VendorEvent } from "../../src/shared/vendors/webhook.ts";
import { stripeWebhook } from "../../src/shared/vendors/stripe/webhook.ts";

const SECRET = "whsec_sandbox";
const DAY_MS = 86_400_000;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A sandbox with a clock, an endpoint that verifies what it gets, and the SDK pointed at it. */
async function open(options: StripeSandboxOptions = {}) {
  const clock = { now: new Date("2027-01-31T12:00:00.000Z") };
  const endpoint = { status: 200, got: [] as VendorEvent[], objects: [] as string[] };
  const sandbox = makeStripeSandbox({
    now: () => clock.now,
    random: seeded(3),
    fetch: async (_url, init) => {
      const text = String(init?.body);
      const webhook = { body: new TextEncoder().encode(text), headers: new Headers(init?.headers) };
      if (!(await stripeWebhook.verify(webhook, [SECRET], clock.now))) {
        return new Response("", { status: 401 });
      }
      endpoint.got.push(stripeWebhook.read(webhook));
      return new Response("", { status: endpoint.status });
    },
    webhook: { url: "http://endpoint.test/stripe", secret: SECRET },
  }, options);
  const server = await serveSandbox(sandbox.app);
  closing.push(server.close);
  const { hostname, port } = new URL(server.url);
  const stripe = new Stripe("sk_test_clockwork", {
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 0,
    telemetry: false,
    protocol: "http",
    host: hostname,
    port,
  });
  sandbox.addPrice({ id: "price_month", interval: "month", intervalCount: 1, amount: 4900 });
  const customer = sandbox.createCustomer({ email: "person@example.test", metadata: { ck_customer: "c1" } });
  const subscribe = () =>
    sandbox.subscribe({ customerId: customer.id, priceIds: [{ price: "price_month", quantity: 1 }] });
  /** The types the endpoint gets now, in order. */
  async function types(): Promise<string[]> {
    const from = endpoint.got.length;
    await sandbox.outbox.flush(1);
    return endpoint.got.slice(from).map(({ type }) => type);
  }
  await types();
  return { clock, endpoint, sandbox, server, stripe, customer, subscribe, types };
}

describe("actions", () => {
  it("send the webhooks of a new subscription and of each renewal", async () => {
    const { sandbox, subscribe, types } = await open();
    const subscription = subscribe();
    const paid = [
      "invoice.created",
      "invoice.finalized",
      "charge.succeeded",
      "payment_intent.succeeded",
      "invoice_payment.paid",
      "invoice.paid",
      "invoice.payment_succeeded",
    ];
    expect(await types()).toEqual(["customer.subscription.created", ...paid]);
    sandbox.announceRenewal(subscription.id);
    sandbox.renew(subscription.id);
    expect(await types()).toEqual(["invoice.upcoming", "customer.subscription.updated", ...paid]);
  });

  it("renew on the day of the anchor, or on a short month's last", async () => {
    const { sandbox, subscribe } = await open();
    const subscription = subscribe();
    const ends = [];
    for (let i = 0; i < 4; i++) {
      ends.push(
        new Date((subscription.items.data[0]?.current_period_end ?? 0) * 1000).toISOString().slice(0, 10),
      );
      sandbox.renew(subscription.id);
    }
    expect(ends).toEqual(["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]);
    const leapDay = Date.UTC(2028, 1, 29) / 1000;
    expect(periodEnd(leapDay, leapDay, "year", 1)).toBe(Date.UTC(2029, 1, 28) / 1000);
    expect(periodEnd(leapDay, leapDay, "week", 2)).toBe(leapDay + 14 * 86_400);
    expect(periodEnd(leapDay, leapDay, "day", 3)).toBe(leapDay + 3 * 86_400);
  });

  it("leave a failed payment open until it is paid or voided", async () => {
    const { sandbox, subscribe, types } = await open();
    const subscription = subscribe();
    await types();
    const invoice = sandbox.failPayment(subscription.id);
    expect(invoice).toMatchObject({ status: "open", attempt_count: 1, amount_remaining: 4900 });
    expect(subscription.status).toBe("past_due");
    expect(await types()).toEqual([
      "customer.subscription.updated",
      "invoice.created",
      "invoice.finalized",
      "charge.failed",
      "payment_intent.payment_failed",
      "invoice.payment_failed",
      "customer.subscription.updated",
    ]);
    const failed = sandbox.invoiceChargeId(invoice.id);
    sandbox.payInvoice(invoice.id);
    expect(invoice).toMatchObject({ status: "paid", attempt_count: 2, amount_remaining: 0 });
    expect(subscription.status).toBe("active");
    expect(sandbox.invoiceChargeId(invoice.id)).not.toBe(failed);
    expect(() => sandbox.voidInvoice(invoice.id)).toThrow("open invoices");
    const next = sandbox.failPayment(subscription.id);
    await types();
    sandbox.voidInvoice(next.id);
    expect(next.status).toBe("void");
    expect(await types()).toEqual(["payment_intent.canceled", "invoice.voided"]);
    expect(() => sandbox.payInvoice(next.id)).toThrow("open invoice");
  });

  it("tell the two pauses apart", async () => {
    const { sandbox, subscribe, types } = await open();
    const subscription = subscribe();
    await types();
    sandbox.pauseCollection(subscription.id);
    expect(subscription).toMatchObject({ status: "active", pause_collection: { behavior: "void" } });
    expect(await types()).toEqual(["customer.subscription.updated"]);
    expect(sandbox.renew(subscription.id).status).toBe("void");
    sandbox.pauseCollection(subscription.id, "keep_as_draft");
    expect(sandbox.renew(subscription.id).status).toBe("draft");
    sandbox.pauseCollection(subscription.id, "mark_uncollectible");
    expect(sandbox.renew(subscription.id).status).toBe("uncollectible");
    sandbox.resumeCollection(subscription.id);
    await types();
    sandbox.pause(subscription.id);
    expect(subscription).toMatchObject({ status: "paused", pause_collection: null });
    expect(() => sandbox.renew(subscription.id)).toThrow("paused");
    sandbox.resume(subscription.id);
    expect(await types()).toEqual([
      "customer.subscription.updated",
      "customer.subscription.paused",
      "customer.subscription.updated",
      "customer.subscription.resumed",
    ]);
    expect(sandbox.renew(subscription.id).status).toBe("paid");
    await types();
    sandbox.cancelAtPeriodEnd(subscription.id);
    expect(() => sandbox.renew(subscription.id)).toThrow("ends with its period");
    sandbox.cancel(subscription.id);
    expect(await types()).toEqual(["customer.subscription.updated", "customer.subscription.deleted"]);
    expect(() => sandbox.cancel(subscription.id)).toThrow("No such subscription");
  });

  it("give money back, by card, by credit note and by dispute", async () => {
    const { sandbox, subscribe, types } = await open();
    const invoiceId = subscribe().latest_invoice ?? "";
    const chargeId = sandbox.invoiceChargeId(invoiceId) ?? "";
    await types();
    sandbox.refund(chargeId, 900);
    expect(await types()).toEqual(["refund.created", "charge.refunded"]);
    expect(() => sandbox.refund(chargeId, 4001)).toThrow("greater than unrefunded");
    const lineId = sandbox.state.invoices.get(invoiceId)?.lines.data[0]?.id ?? "";
    sandbox.creditNote(invoiceId, { lineId, amount: 900, refunds: false });
    expect(sandbox.state.charges.get(chargeId)?.amount_refunded).toBe(900);
    expect(() => sandbox.creditNote(invoiceId, { lineId: "il_none", amount: 1 })).toThrow("No such");
    sandbox.creditNote(invoiceId, { lineId, amount: 4000 });
    expect(sandbox.state.charges.get(chargeId)).toMatchObject({ amount_refunded: 4900, refunded: true });
    expect(await types()).toEqual([
      "credit_note.created",
      "refund.created",
      "charge.refunded",
      "credit_note.created",
    ]);
    expect(() => sandbox.refund(chargeId)).toThrow("already been refunded");
    const dispute = sandbox.dispute(sandbox.invoiceChargeId(subscribe().latest_invoice ?? "") ?? "");
    await types();
    sandbox.closeDispute(dispute.id, "lost");
    expect(await types()).toEqual(["charge.dispute.closed"]);
  });

  it("throw for an unknown id", async () => {
    const { sandbox } = await open();
    expect(() => sandbox.renew("sub_none")).toThrow("sub_none");
    expect(() => sandbox.subscribe({ customerId: "cus_none", priceIds: [] })).toThrow("No such customer");
  });
});

describe("webhooks", () => {
  it("are sent until they are taken, signed anew each time, and show the object as it was", async () => {
    const { clock, endpoint, sandbox, subscribe, types, stripe } = await open({
      enabledEvents: ["invoice.created"],
    });
    endpoint.status = 404;
    subscribe();
    expect(await types()).toEqual(["invoice.created"]);
    clock.now = new Date(clock.now.getTime() + DAY_MS);
    endpoint.status = 200;
    expect(await types()).toEqual(["invoice.created"]);
    expect(await types()).toEqual([]);
    const [event] = (await stripe.events.list({ type: "invoice.created" })).data;
    expect(event?.data.object).toMatchObject({ object: "invoice", status: "draft" });
    expect([...sandbox.outbox.acknowledged]).toEqual([event?.id]);
    expect(sandbox.state.events.size).toBeGreaterThan(5);
  });

  it("come as snapshot and thin event of the same change", async () => {
    const { endpoint, subscribe, types } = await open({ eventKinds: ["snapshot", "thin"] });
    subscribe();
    expect(await types()).toHaveLength(16);
    const paid = endpoint.got.filter(({ type }) => type === "invoice.paid");
    expect(paid).toHaveLength(2);
    expect(new Set(paid.map(({ id }) => id)).size).toBe(1);
    expect(new Set(paid.map(({ attributes }) => attributes["invoice_id"])).size).toBe(1);
  });

  it("can be thin alone", async () => {
    const { endpoint, subscribe, types } = await open({
      eventKinds: ["thin"],
      enabledEvents: ["invoice.paid"],
    });
    subscribe();
    expect(await types()).toEqual(["invoice.paid"]);
    expect(endpoint.got.at(-1)?.attributes).not.toHaveProperty("customer_id");
  });
});

describe("the API", () => {
  it("has the version that the SDK pins, and no other", async () => {
    expect(API_VERSION).toBe(Stripe.API_VERSION);
    const { stripe, customer } = await open();
    await expect(stripe.customers.retrieve(customer.id, {}, { apiVersion: "2024-06-20" })).rejects
      .toMatchObject({
        statusCode: 400,
      });
  });

  it("wants a key, and knows its own paths", async () => {
    const { server, customer } = await open();
    const url = `${server.url}/v1/customers/${customer.id}`;
    const bare = await fetch(url);
    expect([bare.status, await bare.json()]).toEqual([401, {
      error: { type: "invalid_request_error", message: expect.any(String) },
    }]);
    expect((await fetch(url, { headers: { authorization: "Bearer nonsense" } })).status).toBe(401);
    const headers = { authorization: "Bearer rk_test_1" };
    expect((await fetch(url, { headers })).status).toBe(200);
    expect((await fetch(`${server.url}/v1/nothing`, { headers })).status).toBe(404);
  });

  it("keeps customers: create, change, merge metadata, find by email", async () => {
    const { stripe, types, customer } = await open();
    const made = await stripe.customers.create({ email: "new@example.test", metadata: { a: "1", b: "2" } });
    const changed = await stripe.customers.update(made.id, {
      email: "newer@example.test",
      phone: "+15550100",
      metadata: { a: "", c: "3" },
    });
    expect(changed).toMatchObject({
      email: "newer@example.test",
      phone: "+15550100",
      metadata: { b: "2", c: "3" },
    });
    expect(changed.metadata).not.toHaveProperty("a");
    await stripe.customers.update(made.id, { email: "newer@example.test" });
    expect(await types()).toEqual(["customer.created", "customer.updated"]);
    const found = await stripe.customers.list({ email: "person@example.test" });
    expect(found.data.map(({ id }) => id)).toEqual([customer.id]);
    await expect(stripe.customers.update("cus_none", {})).rejects.toMatchObject({
      statusCode: 404,
      code: "resource_missing",
    });
  });

  it("keeps subscriptions: create, pause collection, mark for the end, cancel, list", async () => {
    const { stripe, customer, sandbox, types } = await open();
    const subscription = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: "price_month", quantity: 2 }],
      metadata: { ck: "order" },
      expand: ["latest_invoice.payments"],
    });
    expect(subscription).toMatchObject({
      status: "active",
      metadata: { ck: "order" },
      latest_invoice: {
        object: "invoice",
        status: "paid",
        amount_paid: 9800,
        payments: { data: [{ payment: { type: "payment_intent" } }] },
      },
    });
    expect(subscription).not.toHaveProperty("current_period_end");
    const update = (params: Stripe.SubscriptionUpdateParams) =>
      stripe.subscriptions.update(subscription.id, params);
    expect((await update({ pause_collection: { behavior: "void" } })).pause_collection).toMatchObject({
      behavior: "void",
    });
    expect((await update({ pause_collection: "" })).pause_collection).toBeNull();
    expect((await update({ cancel_at_period_end: true })).cancel_at_period_end).toBe(true);
    await types();
    expect((await stripe.subscriptions.cancel(subscription.id)).status).toBe("canceled");
    expect(await types()).toEqual(["customer.subscription.deleted"]);
    await expect(stripe.subscriptions.cancel(subscription.id)).rejects.toMatchObject({ statusCode: 404 });
    const other = sandbox.subscribe({
      customerId: customer.id,
      priceIds: [{ price: "price_month", quantity: 1 }],
    });
    const ids = async (params: Stripe.SubscriptionListParams) =>
      (await stripe.subscriptions.list(params)).data.map(({ id }) => id);
    expect(await ids({ customer: customer.id })).toEqual([other.id]);
    expect(await ids({ status: "all", price: "price_month" })).toEqual([other.id, subscription.id]);
    expect(await ids({ status: "canceled" })).toEqual([subscription.id]);
    expect(await ids({ customer: "cus_none" })).toEqual([]);
  });

  it("refuses parameters it does not know or misses", async () => {
    const { server, stripe, customer } = await open();
    const post = async (body: string) => {
      const response = await fetch(`${server.url}/v1/subscriptions`, {
        method: "POST",
        headers: {
          authorization: "Bearer sk_test_1",
          "content-type": "application/x-www-form-urlencoded",
        },
        body,
      });
      return [response.status, await response.json()];
    };
    const wrong = (code: string, param: string) => [400, { error: expect.objectContaining({ code, param }) }];
    expect(await post("customer=cus_1&items[0][price]=p&colour=red")).toEqual(
      wrong("parameter_unknown", "colour"),
    );
    expect(await post("customer=cus_1&items[0][prize]=p")).toEqual(
      wrong("parameter_missing", "items[0][price]"),
    );
    expect(await post("items[0][price]=p")).toEqual(wrong("parameter_missing", "customer"));
    expect(await post("customer=cus_none&items[0][price]=p")).toEqual(wrong("resource_missing", "customer"));
    expect(await post(`customer=${customer.id}&items[0][price]=p`)).toEqual(
      wrong("resource_missing", "items[0][price]"),
    );
    await expect(stripe.customers.list({ limit: 101 })).rejects.toMatchObject({
      statusCode: 400,
      param: "limit",
    });
  });

  it("has invoices without a subscription or charge on top, and charges without an invoice", async () => {
    const { stripe, subscribe, sandbox } = await open();
    const subscription = subscribe();
    const invoiceId = subscription.latest_invoice ?? "";
    const invoice = await stripe.invoices.retrieve(invoiceId);
    for (const gone of ["subscription", "charge", "payment_intent", "payments"]) {
      expect(invoice).not.toHaveProperty(gone);
    }
    expect(invoice.parent?.subscription_details?.subscription).toBe(subscription.id);
    expect(invoice.lines.data[0]?.pricing?.price_details?.price).toBe("price_month");
    const charge = await stripe.charges.retrieve(sandbox.invoiceChargeId(invoiceId) ?? "", {
      expand: ["customer", "payment_intent"],
    });
    expect(charge).not.toHaveProperty("invoice");
    expect(charge).toMatchObject({
      customer: { object: "customer" },
      payment_intent: { object: "payment_intent" },
    });
    const renewed = sandbox.failPayment(subscription.id);
    const unpaid = await stripe.invoices.list({ subscription: subscription.id, status: "open" });
    expect(unpaid.data.map(({ id }) => id)).toEqual([renewed.id]);
  });

  it("expands four levels of known references, no more", async () => {
    const { stripe, subscribe } = await open();
    const invoice = subscribe().latest_invoice ?? "";
    const { data } = await stripe.invoicePayments.list({
      invoice,
      expand: ["data.payment.payment_intent.latest_charge"],
    });
    expect(data[0]?.payment).toMatchObject({
      payment_intent: { latest_charge: { object: "charge", paid: true } },
    });
    for (const path of ["data.payment.payment_intent.latest_charge.customer", "data.status"]) {
      await expect(stripe.invoicePayments.list({ invoice, expand: [path] })).rejects.toMatchObject({
        statusCode: 400,
      });
    }
  });

  it("lists events by time, type and delivery, page by page, for thirty days", async () => {
    const { clock, endpoint, sandbox, stripe, subscribe } = await open();
    const first = Math.floor(clock.now.getTime() / 1000);
    const subscription = subscribe();
    await sandbox.outbox.flush(1);
    clock.now = new Date(clock.now.getTime() + 20 * DAY_MS);
    endpoint.status = 500;
    sandbox.renew(subscription.id);
    await sandbox.outbox.flush(1);
    const list = async (params: Stripe.EventListParams) =>
      (await stripe.events.list({ limit: 100, ...params })).data;
    expect(await list({ types: ["invoice.paid", "charge.succeeded"] })).toHaveLength(4);
    expect(await list({ type: "customer.subscription.*" })).toHaveLength(2);
    expect(await list({ types: ["invoice.paid"], created: { gt: first } })).toHaveLength(1);
    expect(await list({ types: ["invoice.paid"], created: { lte: first } })).toHaveLength(1);
    const undelivered = await list({ delivery_success: false });
    expect(undelivered).toHaveLength(8);
    expect(undelivered.every(({ created }) => created > first)).toBe(true);
    // Newest first, and from a cursor onwards oldest first.
    const all = await list({});
    expect(all[0]?.created).toBeGreaterThan(all.at(-1)?.created ?? Infinity);
    const onwards = [];
    const cursor = all.at(-1)?.id ?? "";
    for await (const event of stripe.events.list({ ending_before: cursor, limit: 3 })) onwards.push(event.id);
    expect(onwards).toEqual(all.slice(0, -1).map(({ id }) => id).reverse());
    const before = await stripe.events.list({ ending_before: cursor, limit: 3 });
    expect(before.data.map(({ id }) => id)).toEqual(all.slice(-4, -1).map(({ id }) => id));
    expect(before.has_more).toBe(true);
    await expect(stripe.events.list({ starting_after: "evt_none" })).rejects.toMatchObject({
      statusCode: 400,
    });
    clock.now = new Date(clock.now.getTime() + 15 * DAY_MS);
    expect(await list({ types: ["invoice.paid"] })).toHaveLength(1);
    await expect(stripe.events.retrieve(cursor)).rejects.toMatchObject({ statusCode: 404 });
    expect((await stripe.events.retrieve(all[0]?.id ?? "")).type).toBe(all[0]?.type);
  });
});

describe("idempotency", () => {
  const items = [{ price: "price_month" }];

  it("answers a repeated key as the first time, for a day or until forgotten", async () => {
    const { clock, sandbox, stripe, customer } = await open();
    const create = () =>
      stripe.subscriptions.create({ customer: customer.id, items }, { idempotencyKey: "subscribe:c1" });
    const first = await create();
    sandbox.cancel(first.id);
    const again = await create();
    expect(again).toMatchObject({ id: first.id, status: "active" });
    expect(new Headers(first.lastResponse.headers).get("idempotent-replayed")).toBeNull();
    expect(new Headers(again.lastResponse.headers).get("idempotent-replayed")).toBe("true");
    expect(sandbox.state.subscriptions.size).toBe(1);
    clock.now = new Date(clock.now.getTime() + DAY_MS);
    const dayAfter = await create();
    expect(dayAfter.id).not.toBe(first.id);
    sandbox.forgetIdempotencyKeys();
    expect((await create()).id).not.toBe(dayAfter.id);
    expect(sandbox.state.subscriptions.size).toBe(3);
  });

  it("refuses the key with other parameters or another path", async () => {
    const { stripe, customer } = await open();
    const options = { idempotencyKey: "k1" };
    await stripe.subscriptions.create({ customer: customer.id, items }, options);
    for (
      const other of [
        stripe.subscriptions.create({ customer: customer.id, items, metadata: { a: "1" } }, options),
        stripe.customers.create({ email: "x@example.test" }, options),
      ]
    ) {
      await expect(other).rejects.toMatchObject({ statusCode: 400, type: "StripeIdempotencyError" });
    }
    await expect(stripe.customers.create({}, { idempotencyKey: "k".repeat(256) })).rejects.toMatchObject({
      statusCode: 400,
    });
  });

  it("keeps a refusal too, but not bad parameters", async () => {
    const { server, sandbox, stripe } = await open();
    const create = (customer: string) =>
      stripe.subscriptions.create({ customer, items }, { idempotencyKey: "k2" });
    await expect(create("cus_later")).rejects.toMatchObject({ code: "resource_missing" });
    const made = sandbox.createCustomer({});
    sandbox.state.customers.set("cus_later", made);
    await expect(create("cus_later")).rejects.toMatchObject({ code: "resource_missing" });
    const post = (body: string) =>
      fetch(`${server.url}/v1/customers`, {
        method: "POST",
        headers: { authorization: "Bearer sk_test_1", "idempotency-key": "k3" },
        body,
      });
    expect((await post("nonsense=1")).status).toBe(400);
    expect((await post("email=x@example.test")).status).toBe(200);
  });
});

describe("faults", () => {
  const create = (stripe: Stripe, customer: string) =>
    stripe.subscriptions.create({ customer, items: [{ price: "price_month" }] }, { idempotencyKey: "once" });

  it("lose the answer after the fact: the key finds it again", async () => {
    const { sandbox, stripe, customer } = await open();
    sandbox.faults.add({ operation: "create subscription", kind: "lose_answer", times: 1 });
    await expect(create(stripe, customer.id)).rejects.toMatchObject({ type: "StripeConnectionError" });
    expect(sandbox.state.subscriptions.size).toBe(1);
    expect((await create(stripe, customer.id)).status).toBe("active");
    expect(sandbox.state.subscriptions.size).toBe(1);
  });

  it("commit late, with the body the request had", async () => {
    const { sandbox, stripe, customer } = await open();
    sandbox.faults.add({ operation: "create subscription", kind: "late_commit", times: 1 });
    await expect(create(stripe, customer.id)).rejects.toMatchObject({ type: "StripeConnectionError" });
    expect(sandbox.state.subscriptions.size).toBe(0);
    await sandbox.faults.commitLate();
    expect(sandbox.state.subscriptions.size).toBe(1);
    await create(stripe, customer.id);
    expect(sandbox.state.subscriptions.size).toBe(1);
  });

  it("commit a late request once, when the key was used meanwhile", async () => {
    const { sandbox, stripe, customer } = await open();
    sandbox.faults.add({ operation: "create subscription", kind: "late_commit", times: 1 });
    await expect(create(stripe, customer.id)).rejects.toThrow();
    await create(stripe, customer.id);
    await sandbox.faults.commitLate();
    expect(sandbox.state.subscriptions.size).toBe(1);
  });

  it("lose the request, or refuse it, and do nothing", async () => {
    const { sandbox, stripe, customer } = await open();
    sandbox.faults.add({ operation: "create subscription", kind: "lose_request", times: 1 });
    await expect(create(stripe, customer.id)).rejects.toMatchObject({ type: "StripeConnectionError" });
    sandbox.faults.add({ operation: "create subscription", kind: "status", status: 500, times: 1 });
    await expect(create(stripe, customer.id)).rejects.toMatchObject({ statusCode: 500 });
    expect(sandbox.state.subscriptions.size).toBe(0);
    expect(sandbox.faults.calls.get("create subscription")).toBe(2);
    expect((await create(stripe, customer.id)).status).toBe("active");
  });
});
