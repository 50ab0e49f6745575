import type Stripe from "stripe";
import { describe, expect, it } from "vitest";
import { openStripe } from "../vendors/stripe-setup.ts";

async function open() {
  const world = await openStripe();
  await world.sandbox.outbox.flush(1);
  world.received.length = 0;
  /** The types the endpoint gets now, in order. */
  async function types(): Promise<string[]> {
    await world.sandbox.outbox.flush(1);
    return world.received.splice(0).map(({ type }) => type);
  }
  return { ...world, types };
}

describe("cards", () => {
  it("are a default where a person made the customer, and none where the API did", async () => {
    const { sandbox, sdk } = await open();
    const made = sandbox.createCustomer({});
    const customer = await sdk.customers.retrieve(made.id, {
      expand: ["invoice_settings.default_payment_method"],
    });
    const { data } = await sdk.customers.listPaymentMethods(made.id);
    expect(data).toMatchObject([{ object: "payment_method", type: "card", customer: made.id }]);
    expect(customer).toMatchObject({
      default_source: null,
      invoice_settings: { default_payment_method: { id: data[0]?.id } },
    });
    expect((await sdk.paymentMethods.list({ customer: made.id, type: "card" })).data).toEqual(data);
    const bare = await sdk.customers.create({});
    expect(bare.invoice_settings.default_payment_method).toBeNull();
    expect((await sdk.customers.listPaymentMethods(bare.id)).data).toEqual([]);
    await expect(sdk.customers.listPaymentMethods("cus_none")).rejects.toMatchObject({ statusCode: 404 });
  });

  it("change, with the events of it", async () => {
    const { sandbox, sdk, types } = await open();
    const { id } = sandbox.createCustomer({});
    await types();
    sandbox.changeCard(id, "none");
    expect(await types()).toEqual(["payment_method.detached", "customer.updated"]);
    expect((await sdk.customers.listPaymentMethods(id)).data).toEqual([]);
    sandbox.changeCard(id, "on_file");
    expect(await types()).toEqual(["payment_method.attached", "customer.updated"]);
    expect(await sdk.customers.retrieve(id)).toMatchObject({
      invoice_settings: { default_payment_method: null },
    });
  });

  it("are needed for a paid price, unless the subscription names one", async () => {
    const { sandbox, sdk, types } = await open();
    sandbox.addPrice({ id: "price_free", interval: "month", intervalCount: 1, amount: 0 });
    const create = (customer: string, more: Partial<Stripe.SubscriptionCreateParams> = {}) =>
      sdk.subscriptions.create({
        customer,
        items: [{ price: "price_month" }],
        payment_behavior: "error_if_incomplete",
        ...more,
      });
    const { id } = sandbox.createCustomer({ card: "on_file" });
    const [card = ""] = sandbox.state.paymentMethods.group(id).keys();
    await types();
    const refusal = { statusCode: 400, code: "resource_missing", type: "StripeInvalidRequestError" };
    await expect(create(id)).rejects.toMatchObject(refusal);
    await expect(create(id, { default_payment_method: "pm_none" })).rejects.toMatchObject({
      ...refusal,
      param: "default_payment_method",
    });
    expect(await types()).toEqual([]);
    expect(await create(id, { items: [{ price: "price_free" }] })).toMatchObject({ status: "active" });
    expect(await create(id, { default_payment_method: card })).toMatchObject({
      status: "active",
      default_payment_method: card,
    });
    const declined = sandbox.createCustomer({ card: "declined" });
    await types();
    await expect(create(declined.id)).rejects.toMatchObject({
      statusCode: 402,
      code: "card_declined",
      type: "StripeCardError",
    });
    expect(() =>
      sandbox.subscribe({ customerId: declined.id, priceIds: [{ price: "price_month", quantity: 1 }] })
    )
      .toThrow();
    expect(await types()).toEqual([]);
  });

  it("leave a subscription half made when they are declined, unless an error was asked for", async () => {
    const { sandbox, sdk, types } = await open();
    const create = (customer: string, more: Partial<Stripe.SubscriptionCreateParams> = {}) =>
      sdk.subscriptions.create({ customer, items: [{ price: "price_month" }], ...more });
    const { id } = sandbox.createCustomer({ card: "declined" });
    await types();
    const made = await create(id);
    expect(made).toMatchObject({ status: "incomplete", ended_at: null });
    const invoice = await sdk.invoices.retrieve(String(made.latest_invoice));
    expect(invoice).toMatchObject({
      status: "open",
      attempt_count: 1,
      billing_reason: "subscription_create",
    });
    expect(await types()).toEqual([
      "customer.subscription.created",
      "invoice.created",
      "invoice.finalized",
      "charge.failed",
      "payment_intent.payment_failed",
      "invoice.payment_failed",
    ]);
    expect((await sdk.subscriptions.list({ customer: id })).data).toHaveLength(1);
    expect(() => sandbox.renew(made.id)).toThrow("incomplete");
    sandbox.completeFirstPayment(made.id);
    expect(await sdk.subscriptions.retrieve(made.id)).toMatchObject({ status: "active" });
    expect(await sdk.invoices.retrieve(invoice.id ?? "")).toMatchObject({ status: "paid" });
    expect(() => sandbox.completeFirstPayment(made.id)).toThrow();

    const late = await create(id, { payment_behavior: "default_incomplete" });
    expect(await sdk.invoices.retrieve(String(late.latest_invoice))).toMatchObject({
      status: "open",
      attempt_count: 0,
    });
    sandbox.expireIncomplete(late.id);
    expect(await sdk.subscriptions.retrieve(late.id)).toMatchObject({
      status: "incomplete_expired",
      ended_at: expect.any(Number),
    });
    expect(await sdk.invoices.retrieve(String(late.latest_invoice))).toMatchObject({ status: "void" });
    expect(() => sandbox.expireIncomplete(late.id)).toThrow();
    const bare = sandbox.createCustomer({ card: "none" });
    await expect(create(bare.id)).rejects.toMatchObject({ statusCode: 400, code: "resource_missing" });
    expect(await create(bare.id, { payment_behavior: "default_incomplete" })).toMatchObject({
      status: "incomplete",
    });
    await expect(create(bare.id, { payment_behavior: "pending_if_incomplete" })).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});

describe("a deleted customer", () => {
  it("loses every subscription, stays as an id, and is listed no more", async () => {
    const { sandbox, sdk, types, subscribe, received } = await open();
    const { id } = sandbox.createCustomer({ email: "p@example.test" });
    const ended = subscribe(id);
    const running = subscribe(id);
    sandbox.cancel(ended.id);
    await types();
    expect(await sdk.customers.del(id)).toMatchObject({ id, object: "customer", deleted: true });
    await sandbox.outbox.flush(1);
    expect(received.map(({ type, attributes }) => [type, attributes["object_id"]])).toEqual([
      ["customer.subscription.deleted", running.id],
      ["customer.deleted", id],
    ]);
    const left = await sdk.customers.retrieve(id);
    expect(JSON.parse(JSON.stringify(left))).toEqual({ id, object: "customer", deleted: true });
    expect((await sdk.customers.list()).data).toEqual([]);
    expect((await sdk.subscriptions.retrieve(running.id)).status).toBe("canceled");
    for (const work of [sdk.customers.del(id), sdk.customers.update(id, {})]) {
      await expect(work).rejects.toMatchObject({ statusCode: 404, code: "resource_missing" });
    }
    await expect(sdk.subscriptions.create({ customer: id, items: [{ price: "price_month" }] })).rejects
      .toMatchObject({ statusCode: 400, param: "customer" });
  });
});

describe("a completed Checkout", () => {
  it("sends the customer, the subscription and its payment before the session", async () => {
    const { sandbox, sdk, types } = await open();
    const session = sandbox.completeCheckout({
      email: "p@example.test",
      clientReferenceId: "signup-1",
      metadata: { a: "1" },
      priceId: "price_month",
    });
    const sent = await types();
    expect([sent[0], sent[1], sent.at(-1)]).toEqual([
      "customer.created",
      "customer.subscription.created",
      "checkout.session.completed",
    ]);
    expect(sent).toContain("invoice.paid");
    expect(
      await sdk.checkout.sessions.retrieve(session.id, { expand: ["customer", "subscription"] }),
    ).toMatchObject({
      object: "checkout.session",
      mode: "subscription",
      status: "complete",
      client_reference_id: "signup-1",
      customer: { email: "p@example.test", metadata: {}, invoice_settings: { default_payment_method: null } },
      subscription: { status: "active", metadata: {} },
    });
    await expect(sdk.checkout.sessions.retrieve("cs_none")).rejects.toMatchObject({ statusCode: 404 });
  });

  it("of a known customer makes no other", async () => {
    const { sandbox, sdk, types } = await open();
    const { id } = sandbox.createCustomer({ email: "p@example.test" });
    await types();
    const session = sandbox.completeCheckout({
      email: "p@example.test",
      customerId: id,
      priceId: "price_month",
    });
    expect(session.customer).toBe(id);
    expect(await types()).not.toContain("customer.created");
    expect((await sdk.customers.list()).data).toHaveLength(1);
    expect(() => sandbox.completeCheckout({ email: "x", customerId: "cus_none", priceId: "price_month" }))
      .toThrow();
  });
});
