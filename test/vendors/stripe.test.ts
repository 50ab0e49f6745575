import Stripe from "stripe";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { seeded } from "../../scripts/sandbox/random.ts";
import { serveSandbox } from "../../scripts/sandbox/server.ts";
import { makeStripeSandbox } from "../../scripts/sandbox/stripe.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { UnreadableEvent } from "../../src/shared/vendors/webhook.ts";
import { hmacSha256, toHex } from "../../src/shared/vendors/signing.ts";
import { makeStripeClient } from "../../src/shared/vendors/stripe/client.ts";
import { stripeWebhook } from "../../src/shared/vendors/stripe/webhook.ts";

const NOW = new Date("2027-03-01T09:00:00.000Z");
const NOW_SECONDS = NOW.getTime() / 1000;
const SECRET = "whsec_test_current";
const encoder = new TextEncoder();

const SNAPSHOT = {
  id: "evt_test_paid",
  object: "event",
  api_version: "2026-10-28.endive",
  created: 1803891600,
  data: {
    object: {
      id: "in_test_1",
      object: "invoice",
      customer: "cus_test_1",
      customer_email: "canary@example.test",
      parent: { type: "subscription_details", subscription_details: { subscription: "sub_test_1" } },
    },
  },
  livemode: false,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type: "invoice.paid",
};

const THIN = {
  id: "evt_test_thin",
  object: "v2.core.event",
  type: "v1.invoice.paid",
  livemode: false,
  created: "2027-03-01T09:00:00.000Z",
  related_object: { id: "in_test_1", type: "invoice", url: "/v1/invoices/in_test_1" },
  snapshot_event: "evt_test_paid",
};

function raw(body: unknown, header?: string) {
  const bytes = body instanceof Uint8Array ? body : encoder.encode(JSON.stringify(body));
  return { body: bytes, headers: new Headers(header === undefined ? {} : { "stripe-signature": header }) };
}

/** Signed by the vendor's own helper, which takes text only. */
async function signed(body: unknown, { secret = SECRET, timestamp = NOW_SECONDS } = {}) {
  const payload = JSON.stringify(body);
  return raw(body, await Stripe.webhooks.generateTestHeaderStringAsync({ payload, secret, timestamp }));
}

describe("stripeWebhook.verify", () => {
  it("takes a snapshot and a thin event signed with any live secret", async () => {
    for (const body of [SNAPSHOT, THIN]) {
      for (const secrets of [[SECRET], ["whsec_other", SECRET], [SECRET, "whsec_other"], ["", SECRET]]) {
        expect(await stripeWebhook.verify(await signed(body), secrets, NOW)).toBe(true);
      }
    }
  });

  it("takes a header with the signatures of two secrets, as Stripe sends while one is rolled", async () => {
    const payload = JSON.stringify(SNAPSHOT);
    const v1 = async (secret: string) => toHex(await hmacSha256(secret, `${NOW_SECONDS}.${payload}`));
    const both = raw(SNAPSHOT, `t=${NOW_SECONDS},v1=${await v1("whsec_old")},v1=${await v1("whsec_new")}`);
    expect(await stripeWebhook.verify(both, ["whsec_old"], NOW)).toBe(true);
    expect(await stripeWebhook.verify(both, ["whsec_new"], NOW)).toBe(true);
    expect(await stripeWebhook.verify(both, ["whsec_third"], NOW)).toBe(false);
  });

  it("fails closed on secrets", async () => {
    const good = await signed(SNAPSHOT);
    for (const secrets of [[], [""], ["  "], ["whsec_other"], [`${SECRET} `]]) {
      expect(await stripeWebhook.verify(good, secrets, NOW)).toBe(false);
    }
    expect(await stripeWebhook.verify(await signed(SNAPSHOT, { secret: "whsec_old" }), [SECRET], NOW)).toBe(
      false,
    );
  });

  it("fails closed on headers", async () => {
    const signature = toHex(await hmacSha256(SECRET, `${NOW_SECONDS}.${JSON.stringify(SNAPSHOT)}`));
    const headers = [
      undefined,
      "",
      "v1",
      "t=,v1=",
      `v1=${signature}`,
      `t=${NOW_SECONDS}`,
      `t=${NOW_SECONDS},v1`,
      `t=${NOW_SECONDS},v1=`,
      `t=${NOW_SECONDS},v1=${signature.slice(0, 32)}`,
      `t=${NOW_SECONDS},v0=${signature}`,
      `t=${NOW_SECONDS + 1},v1=${signature}`,
    ];
    for (const header of headers) {
      expect(await stripeWebhook.verify(raw(SNAPSHOT, header), [SECRET], NOW), String(header)).toBe(false);
    }
    const right = `t=${NOW_SECONDS},v1=${signature}`;
    expect(await stripeWebhook.verify(raw(SNAPSHOT, right), [SECRET], NOW)).toBe(true);
  });

  it("keeps a window of 300 seconds to either side of the clock it is given", async () => {
    const at = async (offset: number) =>
      await stripeWebhook.verify(await signed(SNAPSHOT, { timestamp: NOW_SECONDS + offset }), [SECRET], NOW);
    expect(await at(-300)).toBe(true);
    expect(await at(-301)).toBe(false);
    expect(await at(300)).toBe(true);
    expect(await at(301)).toBe(false);
    expect(await at(86_400)).toBe(false);
  });

  it("refuses a signed timestamp that is no number", async () => {
    const signature = toHex(await hmacSha256(SECRET, `NaN.${JSON.stringify(SNAPSHOT)}`));
    expect(await stripeWebhook.verify(raw(SNAPSHOT, `t=x,v1=${signature}`), [SECRET], NOW)).toBe(false);
  });

  it("is about the bytes, not the text they decode to", async () => {
    const { body, headers } = await signed(SNAPSHOT);
    const changed = body.slice();
    changed[20] = (changed[20] ?? 0) ^ 1;
    expect(await stripeWebhook.verify({ body: changed, headers }, [SECRET], NOW)).toBe(false);
    const marked = new Uint8Array([0xef, 0xbb, 0xbf, ...body]);
    expect(await stripeWebhook.verify({ body: marked, headers }, [SECRET], NOW)).toBe(false);
    expect(await stripeWebhook.verify({ body: new Uint8Array(), headers }, [SECRET], NOW)).toBe(false);
    // Both decode to the replacement character; only one was signed.
    const one = new Uint8Array([0xff]);
    const header = `t=${NOW_SECONDS},v1=${toHex(await hmacSha256(SECRET, `${NOW_SECONDS}.`, one))}`;
    expect(await stripeWebhook.verify(raw(one, header), [SECRET], NOW)).toBe(true);
    expect(await stripeWebhook.verify(raw(new Uint8Array([0xfe]), header), [SECRET], NOW)).toBe(false);
  });
});

describe("stripeWebhook.read", () => {
  it("keeps ids and times of a snapshot, and nothing else", () => {
    expect(stripeWebhook.read(raw(SNAPSHOT))).toEqual({
      id: "evt_test_paid",
      type: "invoice.paid",
      attributes: {
        object_id: "in_test_1",
        object_type: "invoice",
        created: "2027-03-01T09:00:00.000Z",
        api_version: "2026-10-28.endive",
        customer_id: "cus_test_1",
        invoice_id: "in_test_1",
        subscription_id: "sub_test_1",
      },
    });
  });

  it("gives the thin event of the same change the same id and type", () => {
    expect(stripeWebhook.read(raw(THIN))).toEqual({
      id: "evt_test_paid",
      type: "invoice.paid",
      attributes: {
        object_id: "in_test_1",
        object_type: "invoice",
        created: "2027-03-01T09:00:00.000Z",
        invoice_id: "in_test_1",
      },
    });
  });

  it("knows a thin event without a snapshot by its own id", () => {
    const { snapshot_event: _, related_object: __, ...alone } = THIN;
    expect(stripeWebhook.read(raw(alone))).toMatchObject({ id: "evt_test_thin", type: "invoice.paid" });
    expect(stripeWebhook.read(raw({ ...alone, type: "v2.core.account.closed", related_object: null })))
      .toEqual({
        id: "evt_test_thin",
        type: "v2.core.account.closed",
        attributes: { created: "2027-03-01T09:00:00.000Z" },
      });
  });

  const about = (object: unknown) => stripeWebhook.read(raw({ ...SNAPSHOT, data: { object } })).attributes;

  it("names the ids that each object tells", () => {
    expect(about({ id: "du_1", object: "dispute", charge: "ch_1" })).toMatchObject({
      object_id: "du_1",
      charge_id: "ch_1",
    });
    expect(about({ id: "cn_1", object: "credit_note", invoice: "in_2", customer: "cus_2" })).toMatchObject({
      invoice_id: "in_2",
      customer_id: "cus_2",
    });
    expect(about({ id: "ch_1", object: "charge", customer: { id: "cus_3", email: "x" } })).toMatchObject({
      charge_id: "ch_1",
      customer_id: "cus_3",
    });
    expect(about({ id: "sub_1", object: "subscription" })).toMatchObject({ subscription_id: "sub_1" });
    expect(about({ id: "cus_4", object: "customer" })).toMatchObject({ customer_id: "cus_4" });
    // An endpoint at an older version.
    expect(about({ id: "in_3", object: "invoice", subscription: "sub_3" })).toMatchObject({
      subscription_id: "sub_3",
    });
  });

  it("leaves out what is absent, null or of another kind", () => {
    expect(about({ id: null, object: "invoice", customer: null, charge: 7, parent: null })).toEqual({
      object_type: "invoice",
      created: expect.any(String),
      api_version: SNAPSHOT.api_version,
    });
  });

  it("finds anything else unreadable", async () => {
    const { id: _, ...noId } = SNAPSHOT;
    const { id: __, ...thinNoId } = THIN;
    const wrong = [
      noId,
      thinNoId,
      { ...SNAPSHOT, id: "" },
      { ...SNAPSHOT, type: undefined },
      { ...SNAPSHOT, object: "charge" },
      { ...SNAPSHOT, created: "yesterday" },
      { ...SNAPSHOT, created: 1e15 },
      { ...SNAPSHOT, data: {} },
      { ...THIN, created: "yesterday" },
      [],
      null,
      "text",
    ];
    for (const body of wrong) {
      expect(() => stripeWebhook.read(raw(body)), JSON.stringify(body)).toThrow(UnreadableEvent);
    }
    const bytes = new Uint8Array([...encoder.encode('{"id":"'), 0xff, ...encoder.encode('"}')]);
    const header = `t=${NOW_SECONDS},v1=${toHex(await hmacSha256(SECRET, `${NOW_SECONDS}.`, bytes))}`;
    expect(await stripeWebhook.verify(raw(bytes, header), [SECRET], NOW)).toBe(true);
    expect(() => stripeWebhook.read(raw(bytes, header))).toThrow(UnreadableEvent);
  });
});

describe("makeStripeClient", () => {
  const sandbox = makeStripeSandbox({
    now: () => NOW,
    random: seeded(11),
    fetch: () => Promise.reject(new Error("no webhooks here")),
    webhook: { url: "http://127.0.0.1:9", secret: SECRET },
  });
  let server: Awaited<ReturnType<typeof serveSandbox>>;
  const client = (apiKey = "sk_test_clockwork", baseUrl = server.url) =>
    makeStripeClient({ apiKey, fetch, baseUrl });

  beforeAll(async () => {
    server = await serveSandbox(sandbox.app);
    sandbox.addPrice({ id: "price_month", interval: "month", intervalCount: 1, amount: 4900 });
    sandbox.addPrice({ id: "price_quarter", interval: "month", intervalCount: 3, amount: 12_900 });
    sandbox.addPrice({ id: "price_free", interval: "month", intervalCount: 1, amount: 0 });
  });
  afterAll(() => server.close());
  beforeEach(() => sandbox.faults.clear());

  function subscribe(priceIds = [{ price: "price_month", quantity: 1 }]) {
    const customerId = sandbox.createCustomer({ email: "person@example.test" }).id;
    const subscription = sandbox.subscribe({ customerId, priceIds });
    const invoiceId = subscription.latest_invoice ?? "";
    return { customerId, subscription, invoiceId, chargeId: sandbox.invoiceChargeId(invoiceId) ?? "" };
  }

  async function failure(work: Promise<unknown>): Promise<VendorError> {
    const error: unknown = await work.then(() => undefined, (error: unknown) => error);
    if (error instanceof VendorError) return error;
    throw new Error("expected a VendorError", { cause: error });
  }

  it("reads an invoice with what each line pays for", async () => {
    const { customerId, subscription, invoiceId } = subscribe([
      { price: "price_month", quantity: 2 },
      { price: "price_quarter", quantity: 1 },
    ]);
    const invoice = await client().getInvoice(invoiceId);
    expect(invoice).toMatchObject({
      id: invoiceId,
      status: "paid",
      customerId,
      subscriptionId: subscription.id,
      billingReason: "subscription_create",
    });
    expect(invoice.lines).toHaveLength(2);
    expect(invoice.lines[0]).toEqual({
      id: expect.stringMatching(/^il_/),
      isSubscriptionLine: true,
      priceId: "price_month",
      amount: 9800,
      quantity: 2,
      proration: false,
      creditedLineIds: [],
      invoiceItemId: null,
      creditedItemId: null,
      subscriptionItemId: subscription.items.data[0]?.id,
      subscriptionId: subscription.id,
      periodStart: NOW,
      periodEnd: new Date("2027-04-01T09:00:00.000Z"),
    });
    expect(invoice.lines[1]?.periodEnd).toEqual(new Date("2027-06-01T09:00:00.000Z"));
  });

  it("tells prorations and one-off lines from the period's own", async () => {
    const { subscription } = subscribe();
    sandbox.changeQuantity(subscription.id, subscription.items.data[0]?.id ?? "", 2);
    sandbox.addInvoiceItem(subscription.id, 500);
    const invoice = await client().getInvoice(sandbox.renew(subscription.id).id);
    expect(invoice.billingReason).toBe("subscription_cycle");
    expect(
      invoice.lines.map(({ isSubscriptionLine, proration, quantity, amount, priceId }) => ({
        isSubscriptionLine,
        proration,
        quantity,
        amount,
        priceId,
      })),
    ).toEqual([
      { isSubscriptionLine: true, proration: true, quantity: 1, amount: -4900, priceId: "price_month" },
      { isSubscriptionLine: true, proration: true, quantity: 2, amount: 9800, priceId: "price_month" },
      { isSubscriptionLine: false, proration: false, quantity: 1, amount: 500, priceId: null },
      { isSubscriptionLine: true, proration: false, quantity: 2, amount: 9800, priceId: "price_month" },
    ]);
  });

  it("pages through the lines and items that do not come inside the object", async () => {
    const { subscription, invoiceId } = subscribe(
      Array.from({ length: 13 }, () => ({ price: "price_month", quantity: 1 })),
    );
    const { lines } = await client().getInvoice(invoiceId);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(13);
    expect(sandbox.faults.calls.get("list invoice lines")).toBe(1);
    const { items } = await client().getSubscription(subscription.id);
    expect(items.map(({ id }) => id)).toEqual(subscription.items.data.map(({ id }) => id));
  });

  it("tells what went back of an invoice, and what may", async () => {
    const { invoiceId, chargeId } = subscribe();
    const back = () => client().getGivenBack(invoiceId);
    expect(await back()).toEqual({ refunds: [], disputes: [], creditNotes: [] });
    const first = sandbox.refund(chargeId, 1000);
    const second = sandbox.refund(chargeId);
    expect((await back()).refunds.toSorted((a, b) => a.amount - b.amount)).toEqual([
      { id: first.id, amount: 1000, status: "succeeded" },
      { id: second.id, amount: 3900, status: "succeeded" },
    ]);
    const disputed = subscribe();
    const { id } = sandbox.dispute(disputed.chargeId);
    const disputes = async () => (await client().getGivenBack(disputed.invoiceId)).disputes;
    expect(await disputes()).toEqual([{ id, amount: 4900, status: "needs_response", isWithdrawn: true }]);
    sandbox.closeDispute(id, "won");
    expect(await disputes()).toEqual([{ id, amount: 4900, status: "won", isWithdrawn: true }]);
  });

  it("finds nothing given back where nothing was charged: $0, declined, outside Stripe", async () => {
    const nothing = { refunds: [], disputes: [], creditNotes: [] };
    const free = subscribe([{ price: "price_free", quantity: 1 }]);
    expect(await client().getInvoice(free.invoiceId)).toMatchObject({ status: "paid" });
    expect(await client().getGivenBack(free.invoiceId)).toEqual(nothing);
    const { subscription, invoiceId, chargeId } = subscribe();
    const declined = sandbox.failPayment(subscription.id);
    expect(await client().getGivenBack(declined.id)).toEqual(nothing);
    sandbox.refund(chargeId);
    const [payment] = sandbox.state.paymentsOf(invoiceId);
    if (payment) payment.payment = { type: "payment_record", payment_record: "pr_1" };
    expect(await client().getGivenBack(invoiceId)).toEqual(nothing);
  });

  it("tells what went back of a charge without a payment intent", async () => {
    const { invoiceId, chargeId } = subscribe();
    sandbox.refund(chargeId);
    const [payment] = sandbox.state.paymentsOf(invoiceId);
    if (payment) payment.payment = { type: "charge", charge: chargeId };
    expect((await client().getGivenBack(invoiceId)).refunds).toMatchObject([{ amount: 4900 }]);
  });

  it("finds the invoice of a charge, a refund, a dispute and a credit note, none of which needs to name it", async () => {
    const { invoiceId, chargeId } = subscribe();
    const lineId = sandbox.state.invoices.get(invoiceId)?.lines.data[0]?.id ?? "";
    const note = sandbox.creditNote(invoiceId, { lineId, amount: 100 });
    const refund = sandbox.refund(chargeId, 100);
    const dispute = sandbox.dispute(chargeId);
    for (const id of [invoiceId, chargeId, refund.id, dispute.id, note.id]) {
      expect([id, await client().findInvoice(id)]).toEqual([id, invoiceId]);
    }
    expect(await client().findInvoice("cus_1")).toBeNull();
    const [payment] = sandbox.state.paymentsOf(invoiceId);
    sandbox.state.invoicePayments.delete(payment?.id ?? "");
    expect(await client().findInvoice(chargeId)).toBeNull();
  });

  it("lists the invoices of a subscription from a time on, with all their lines", async () => {
    const { subscription, invoiceId } = subscribe();
    subscribe();
    const second = sandbox.renew(subscription.id);
    const listed = (since: Date) => client().listInvoices({ subscriptionId: subscription.id, since });
    expect((await listed(NOW)).map(({ id }) => id).toSorted()).toEqual([invoiceId, second.id].toSorted());
    expect((await listed(NOW))[0]?.lines).toHaveLength(1);
    expect(await listed(new Date(NOW.getTime() + 60_000))).toEqual([]);
  });

  it("reads a subscription in each of its states", async () => {
    const { customerId, subscription } = subscribe([
      { price: "price_quarter", quantity: 1 },
      { price: "price_month", quantity: 3 },
    ]);
    const read = () => client().getSubscription(subscription.id);
    expect(await read()).toEqual({
      id: subscription.id,
      customerId,
      status: "active",
      collectionPaused: false,
      pausedBecause: null,
      endsAt: null,
      createdAt: NOW,
      endedAt: null,
      metadata: {},
      nextRefillAt: new Date("2027-04-01T09:00:00.000Z"),
      collectionPause: null,
      billingAnchor: NOW,
      isScheduled: false,
      hasPendingUpdate: false,
      items: [
        {
          id: subscription.items.data[0]?.id,
          priceId: "price_quarter",
          quantity: 1,
          periodEnd: new Date("2027-06-01T09:00:00.000Z"),
          interval: "month",
          intervalCount: 3,
        },
        {
          id: subscription.items.data[1]?.id,
          priceId: "price_month",
          quantity: 3,
          periodEnd: new Date("2027-04-01T09:00:00.000Z"),
          interval: "month",
          intervalCount: 1,
        },
      ],
    });
    sandbox.renew(subscription.id);
    expect(await read()).toMatchObject({ nextRefillAt: new Date("2027-05-01T09:00:00.000Z") });
    sandbox.pauseCollection(subscription.id);
    expect(await read()).toMatchObject({ status: "active", collectionPaused: true });
    sandbox.resumeCollection(subscription.id);
    sandbox.pause(subscription.id);
    expect(await read()).toMatchObject({ status: "paused", collectionPaused: false });
    sandbox.resume(subscription.id);
    sandbox.cancelAtPeriodEnd(subscription.id);
    expect(await read()).toMatchObject({
      status: "active",
      endsAt: new Date("2027-05-01T09:00:00.000Z"),
    });
    sandbox.cancel(subscription.id);
    expect(await read()).toMatchObject({ status: "canceled", endedAt: NOW, nextRefillAt: null });
  });

  it("lists the credit notes of one invoice with the lines they name", async () => {
    const { invoiceId } = subscribe([
      { price: "price_month", quantity: 1 },
      { price: "price_quarter", quantity: 1 },
    ]);
    const lineId = sandbox.state.invoices.get(invoiceId)?.lines.data[1]?.id ?? "";
    const note = sandbox.creditNote(invoiceId, { lineId, amount: 12_900 });
    subscribe();
    const { creditNotes, refunds } = await client().getGivenBack(invoiceId);
    expect(creditNotes).toEqual([{
      id: note.id,
      status: "issued",
      total: 12_900,
      postPayment: 12_900,
      refundIds: refunds.map(({ id }) => id),
      lines: [{ invoiceLineItemId: lineId, amount: 12_900 }],
    }]);
    expect(refunds).toMatchObject([{ amount: 12_900, status: "succeeded" }]);
  });

  it("is refused what does not exist, by status and code alone", async () => {
    for (
      const work of [
        client().getInvoice("in_none"),
        client().findInvoice("ch_none"),
        client().getSubscription("sub_none"),
      ]
    ) {
      const error = await failure(work);
      expect(error).toMatchObject({
        vendor: "stripe",
        failure: "refused",
        details: { status: 404, code: "resource_missing" },
      });
      expect(`${error.message} ${error.stack}`).not.toContain("_none");
    }
    expect(await failure(client().getGivenBack("in_none"))).toMatchObject({
      failure: "refused",
      details: { status: 400, code: "resource_missing" },
    });
  });

  it("is refused with a bad key", async () => {
    expect(await failure(client("bad key").getInvoice("in_1"))).toMatchObject({
      failure: "refused",
      operation: "get invoice",
      details: { status: 401 },
    });
  });

  it("tells a rate limit and how long it lasts", async () => {
    sandbox.faults.add({
      operation: "get charge",
      kind: "status",
      status: 429,
      retryAfterSeconds: 7,
      times: 1,
    });
    expect(await failure(client().findInvoice("ch_1"))).toMatchObject({
      failure: "rate_limited",
      details: { status: 429, retryAfterSeconds: 7 },
    });
  });

  it("tries once: the queue tries again", async () => {
    const statuses: [number, string][] = [[500, "unanswered"], [503, "unanswered"], [409, "unanswered"]];
    const wanted: [number, string][] = [...statuses, [400, "refused"], [402, "refused"], [403, "refused"]];
    for (const [status, expected] of wanted) {
      const before = sandbox.faults.calls.get("get invoice") ?? 0;
      sandbox.faults.add({ operation: "get invoice", kind: "status", status, times: 1 });
      const error = await failure(client().getInvoice("in_1"));
      expect(error, String(status)).toMatchObject({ failure: expected, details: { status } });
      expect(error.message).not.toContain("fault");
      expect(sandbox.faults.calls.get("get invoice")).toBe(before + 1);
    }
  });

  it("does not know what became of a call whose answer was lost, also half way through", async () => {
    const { invoiceId } = subscribe();
    for (const operation of ["list invoice payments", "list refunds", "list credit notes"]) {
      const before = sandbox.faults.calls.get(operation) ?? 0;
      sandbox.faults.add({ operation, kind: "lose_answer", times: 1 });
      expect(await failure(client().getGivenBack(invoiceId))).toMatchObject({
        failure: "unanswered",
        operation: "get given back",
        details: {},
      });
      expect(sandbox.faults.calls.get(operation)).toBe(before + 1);
    }
  });

  it("knows when nobody was there", async () => {
    const gone = await serveSandbox(sandbox.app);
    await gone.close();
    expect(await failure(client(undefined, gone.url).getInvoice("in_1"))).toMatchObject({
      failure: "unreachable",
      details: {},
    });
  });

  it("takes an answer that is no JSON as none", async () => {
    const proxy = makeStripeClient({
      apiKey: "sk_test_clockwork",
      fetch: () => Promise.resolve(new Response("<html>", { status: 502 })),
    });
    expect(await failure(proxy.getInvoice("in_1"))).toMatchObject({ failure: "unanswered" });
  });

  it("keeps Stripe's own words out of the error", async () => {
    const error = {
      type: "card_error",
      code: "card_declined",
      message: "canary text",
      param: "canary_param",
      decline_code: "canary_decline",
    };
    const declined = makeStripeClient({
      apiKey: "sk_test_clockwork",
      fetch: () => Promise.resolve(Response.json({ error }, { status: 402 })),
    });
    const caught = await failure(declined.getInvoice("in_1"));
    expect(caught).toMatchObject({ failure: "refused", details: { status: 402, code: "card_declined" } });
    expect(caught.cause).toBeUndefined();
    expect(`${caught.message} ${JSON.stringify(caught)}`).not.toContain("canary");
  });

  it("talks to Stripe itself without a base address, at the pinned version", async () => {
    const asked: { url: string; version: string | null }[] = [];
    const real = makeStripeClient({
      apiKey: "sk_test_clockwork",
      fetch: (url, init) => {
        asked.push({ url: String(url), version: new Headers(init?.headers).get("stripe-version") });
        return Promise.reject(new TypeError("stop"));
      },
    });
    await failure(real.findInvoice("ch_1"));
    expect(asked).toEqual([{ url: "https://api.stripe.com/v1/charges/ch_1", version: "2026-10-28.endive" }]);
  });
});
