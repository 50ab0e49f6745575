import { describe, expect, it } from "vitest";
import { openStripe } from "../vendors/stripe-setup.ts";

const DAY = 86_400;

/** A monthly subscription of 31 days on its first day, and what its endpoint hears from then on. */
async function open() {
  const world = await openStripe("2027-01-01T00:00:00.000Z");
  const subscription = world.subscribe();
  const { sandbox, sdk } = world;
  const item = subscription.items.data[0]?.id ?? "";
  const now = () => world.clock.now.getTime() / 1000;
  async function heard(): Promise<string[]> {
    await sandbox.outbox.flush(1);
    return world.received.splice(0).map(({ type }) => type);
  }
  await heard();
  const invoice = async (id = subscription.latest_invoice ?? "") => await sdk.invoices.retrieve(id);
  return { ...world, subscription, customer: subscription.customer, item, now, heard, invoice };
}

describe("prorations", () => {
  it("wait as invoice items that name the line they give back, and become lines of the next invoice", async () => {
    const { sandbox, sdk, subscription, customer, item, passSeconds, heard, invoice } = await open();
    const first = await invoice();
    passSeconds(15.5 * DAY);
    sandbox.changePrice(subscription.id, { itemId: item, priceId: "price_month_b" });
    expect(await heard()).toEqual([
      "invoiceitem.created",
      "invoiceitem.created",
      "customer.subscription.updated",
    ]);
    const [debit, credit] = (await sdk.invoiceItems.list({ customer, pending: true })).data;
    expect(credit).toMatchObject({
      amount: -2450,
      proration: true,
      discountable: false,
      invoice: null,
      parent: { subscription_details: { subscription: subscription.id, subscription_item: item } },
      proration_details: {
        credited_items: {
          type: "invoice_line_items",
          invoice_line_item_details: { invoice: first.id, invoice_line_items: [first.lines.data[0]?.id] },
        },
      },
    });
    expect(debit).toMatchObject({ amount: 2950, proration_details: { credited_items: null } });
    passSeconds(15.5 * DAY);
    const next = await invoice(sandbox.renew(subscription.id).id);
    expect(next.lines.data.map(({ amount, parent }) => [amount, parent?.type])).toEqual([
      [-2450, "subscription_item_details"],
      [2950, "subscription_item_details"],
      [5900, "subscription_item_details"],
    ]);
    expect(next.lines.data[0]?.parent?.subscription_item_details).toMatchObject({
      invoice_item: credit?.id,
      proration: true,
      subscription_item: item,
      proration_details: {
        credited_items: { invoice: first.id, invoice_line_items: [first.lines.data[0]?.id] },
      },
    });
    expect((await sdk.invoiceItems.list({ customer, pending: true })).data).toEqual([]);
    expect((await sdk.invoiceItems.list({ invoice: next.id })).data.map(({ id }) => id)).toEqual([
      debit?.id,
      credit?.id,
    ]);
  });

  it("follow the chain: a second change gives back the pending charge of the first", async () => {
    const { sandbox, subscription, item, passSeconds, invoice } = await open();
    passSeconds(15.5 * DAY);
    sandbox.changeQuantity(subscription.id, item, 2);
    passSeconds(7.75 * DAY);
    sandbox.changeQuantity(subscription.id, item, 1, { proration: "always_invoice" });
    const { lines, billing_reason } = await invoice();
    expect(billing_reason).toBe("subscription_update");
    expect(lines.data.map(({ amount }) => amount)).toEqual([-2450, 4900, -2450, 1225]);
    expect(lines.data[2]?.parent?.subscription_item_details?.proration_details?.credited_items).toEqual({
      invoice: subscription.latest_invoice,
      invoice_line_items: [lines.data[1]?.id],
    });
  });

  it("give back one charge after another where several paid for the time", async () => {
    const { sandbox, subscription, now } = await open();
    sandbox.prebill(subscription.id, { until: now() + 59 * DAY });
    sandbox.cancel(subscription.id, { prorate: true });
    expect([...sandbox.state.invoiceItems.values()].map(({ amount }) => amount)).toEqual([-4900, -4900]);
  });

  it("give nothing back that was given back before, or that nobody paid", async () => {
    const { sandbox, subscription, item, passSeconds } = await open();
    passSeconds(31 * DAY);
    sandbox.voidInvoice(sandbox.failPayment(subscription.id).id);
    sandbox.removeItem(
      sandbox.addItem(subscription.id, { price: "price_month_b", quantity: 1 }, { proration: "none" }).id,
      item,
    );
    expect(sandbox.state.invoiceItems.size).toBe(0);
  });

  it("come from items that are added, removed or swapped over the API", async () => {
    const { sandbox, sdk, subscription, item, passSeconds, heard } = await open();
    passSeconds(15.5 * DAY);
    const added = await sdk.subscriptionItems.create({
      subscription: subscription.id,
      price: "price_month_b",
    });
    expect(added).toMatchObject({
      quantity: 1,
      current_period_end: subscription.items.data[0]?.current_period_end,
    });
    await sdk.subscriptionItems.update(added.id, { quantity: 2 });
    expect(await sdk.subscriptionItems.del(added.id)).toMatchObject({ id: added.id, deleted: true });
    const swapped = await sdk.subscriptions.update(subscription.id, {
      items: [{ id: item, deleted: true }, { price: "price_month_b" }],
    });
    expect(swapped.items.data.map(({ id, price }) => [id === item, price.id])).toEqual([[
      false,
      "price_month_b",
    ]]);
    expect([...sandbox.state.invoiceItems.values()].map(({ amount }) => amount)).toEqual([
      ...[2950, -2950, 5900, -5900],
      ...[-2450, 2950],
    ]);
    expect((await heard()).filter((type) => type === "invoiceitem.created")).toHaveLength(6);
    await expect(sdk.subscriptionItems.del(swapped.items.data[0]?.id ?? "")).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});

describe("an end", () => {
  it("by cancel_at in the period gives the time behind it back, and charges it again where it is cleared", async () => {
    const { sandbox, sdk, subscription, now, passSeconds, heard } = await open();
    const at = now() + 15.5 * DAY;
    const ending = await sdk.subscriptions.update(subscription.id, { cancel_at: at });
    expect(ending).toMatchObject({
      cancel_at: at,
      cancel_at_period_end: false,
      canceled_at: now(),
      cancellation_details: { reason: "cancellation_requested" },
    });
    const cleared = await sdk.subscriptions.update(subscription.id, { cancel_at: "" });
    expect(cleared).toMatchObject({
      cancel_at: null,
      canceled_at: null,
      cancellation_details: { reason: null },
    });
    expect([...sandbox.state.invoiceItems.values()].map(({ amount }) => amount)).toEqual([-2450, 2450]);
    await sdk.subscriptions.update(subscription.id, { cancel_at: at, proration_behavior: "none" });
    expect(() => sandbox.endDue(subscription.id)).not.toThrow();
    passSeconds(DAY);
    expect(subscription).toMatchObject({ status: "canceled", ended_at: at - 15.5 * DAY });
    expect(await heard()).toContain("customer.subscription.deleted");
  });

  it("with its period has both marks; an end in a later period cuts that one short", async () => {
    const { sandbox, sdk, subscription, now } = await open();
    const end = now() + 31 * DAY;
    const marked = await sdk.subscriptions.update(subscription.id, {
      cancel_at_period_end: true,
      cancellation_details: { feedback: "too_expensive" },
    });
    expect(marked).toMatchObject({
      cancel_at: end,
      cancel_at_period_end: true,
      cancellation_details: { feedback: "too_expensive", reason: "cancellation_requested" },
    });
    expect(() => sandbox.renew(subscription.id)).toThrow("ends with its period");
    await sdk.subscriptions.update(subscription.id, { cancel_at_period_end: false });
    expect((await sdk.subscriptions.update(subscription.id, { cancel_at: "max_period_end" })).cancel_at).toBe(
      end,
    );
    await sdk.subscriptions.update(subscription.id, { cancel_at: end + 14 * DAY });
    const { lines } = sandbox.renew(subscription.id);
    expect(lines.data.map(({ amount, period, parent }) => [
      amount,
      period.end,
      parent?.subscription_item_details?.proration,
    ])).toEqual([[2450, end + 14 * DAY, true]]);
  });

  it("at once can give the rest back, and bill it", async () => {
    const { sandbox, sdk, subscription, passSeconds, invoice, customer } = await open();
    passSeconds(15.5 * DAY);
    const ended = await sdk.subscriptions.cancel(subscription.id, { prorate: true, invoice_now: true });
    expect(ended.status).toBe("canceled");
    expect(await invoice()).toMatchObject({ total: -2450, amount_due: 0, status: "paid" });
    expect(sandbox.state.customers.get(customer)?.balance).toBe(-2450);
  });
});

describe("a trial", () => {
  it("in a paid period gives it back on an invoice of $0, and `now` ends it with a whole charge", async () => {
    const { sandbox, sdk, subscription, now, passSeconds, invoice } = await open();
    passSeconds(15.5 * DAY);
    const trialing = await sdk.subscriptions.update(subscription.id, { trial_end: now() + 10 * DAY });
    expect(trialing).toMatchObject({
      status: "trialing",
      trial_start: now(),
      billing_cycle_anchor: now() + 10 * DAY,
    });
    const { lines, total } = await invoice();
    expect(lines.data.map(({ amount, description }) => [amount, description?.split(" on ")[0]])).toEqual([
      [-2450, "Unused time"],
      [0, expect.stringMatching(/^Free trial for 1 × /)],
    ]);
    expect(total).toBe(-2450);
    const before = sandbox.state.invoices.size;
    sandbox.setTrialEnd(subscription.id, now() + 20 * DAY);
    expect([sandbox.state.invoices.size, subscription.items.data[0]?.current_period_end]).toEqual([
      before,
      now() + 20 * DAY,
    ]);
    await sdk.subscriptions.update(subscription.id, { trial_end: "now" });
    expect(subscription).toMatchObject({ status: "active", trial_end: now() });
    expect(await invoice()).toMatchObject({ subtotal: 4900, billing_reason: "subscription_update" });
  });

  it("without a payment method ends as trial_settings say", async () => {
    const { sandbox, sdk, heard } = await open();
    const { id: customer } = sandbox.createCustomer({ card: "none" });
    const [pauses, cancels] = await Promise.all(
      (["pause", "cancel"] as const).map((missing_payment_method) =>
        sdk.subscriptions.create({
          customer,
          items: [{ price: "price_month" }],
          trial_period_days: 7,
          trial_settings: { end_behavior: { missing_payment_method } },
        })
      ),
    );
    await heard();
    expect([pauses, cancels].map((one) => sandbox.endTrial(one?.id ?? ""))).toEqual([null, null]);
    expect(await sdk.subscriptions.retrieve(pauses?.id ?? "")).toMatchObject({
      status: "paused",
      status_details: { paused: { subscription: { type: "trial_end_without_payment_method" } } },
    });
    expect(await heard()).toEqual([
      "customer.subscription.updated",
      "customer.subscription.paused",
      "customer.subscription.deleted",
    ]);
  });
});

describe("what is billed besides the periods", () => {
  it("is an invoice by hand, of no subscription", async () => {
    const { sandbox, sdk, customer, invoice } = await open();
    sandbox.addOneTimePrice({ id: "price_kit", amount: 2500 });
    const { id } = sandbox.invoiceCustomer(customer, [{ priceId: "price_kit", quantity: 2 }, {
      amount: 300,
    }]);
    const made = await invoice(id);
    expect(made).toMatchObject({ parent: null, billing_reason: "manual", status: "paid", amount_paid: 5300 });
    expect(made.lines.data.map(({ parent, pricing, quantity }) => [
      parent?.type,
      parent?.invoice_item_details?.subscription,
      pricing?.price_details?.price ?? null,
      quantity,
    ])).toEqual([
      ["invoice_item_details", null, "price_kit", 2],
      ["invoice_item_details", null, null, 1],
    ]);
    expect((await sdk.invoices.list({ customer, status: "paid" })).data.map((one) => one.id)[0]).toBe(id);
  });

  it("is a Checkout session in payment mode, with its positions at an address of their own", async () => {
    const { sandbox, sdk, heard } = await open();
    sandbox.addOneTimePrice({ id: "price_kit", amount: 2500 });
    const { id } = sandbox.payByCheckout({
      email: "a@example.test",
      items: [{ priceId: "price_kit", quantity: 2 }],
    });
    expect(await heard()).toContain("checkout.session.completed");
    const session = await sdk.checkout.sessions.retrieve(id, { expand: ["line_items"] });
    expect(session).toMatchObject({
      mode: "payment",
      payment_status: "paid",
      amount_total: 5000,
      invoice: null,
      subscription: null,
      payment_intent: expect.stringMatching(/^pi_/),
      line_items: {
        data: [{ quantity: 2, amount_total: 5000, price: { id: "price_kit", type: "one_time" } }],
      },
    });
    const { data } = await sdk.checkout.sessions.listLineItems(id);
    expect(data.map(({ price }) => price?.id)).toEqual(["price_kit"]);
    expect((await sdk.checkout.sessions.list({ payment_intent: String(session.payment_intent) })).data)
      .toHaveLength(1);
    const later = sandbox.payByCheckout({
      email: "b@example.test",
      items: [{ priceId: "price_kit", quantity: 1 }],
      paid: false,
    });
    expect(later.payment_status).toBe("unpaid");
    sandbox.settleCheckout(later.id);
    expect(await heard()).toContain("checkout.session.async_payment_succeeded");
  });

  it("is what waits, at an interval of its own", async () => {
    const { sandbox, subscription, now, passSeconds } = await open();
    sandbox.setPendingInterval(subscription.id, { interval: "week", count: 1 });
    expect(subscription.next_pending_invoice_item_invoice).toBe(now() + 7 * DAY);
    sandbox.addInvoiceItem(subscription.id, 500);
    passSeconds(7 * DAY);
    expect(sandbox.billPending(subscription.id)).toMatchObject({
      billing_reason: "automatic_pending_invoice_item_invoice",
      amount_paid: 500,
    });
  });

  it("is used at metered prices, and tiers without a unit amount", async () => {
    const { sandbox, sdk, customer, invoice } = await open();
    sandbox.addPrice({ id: "used", interval: "month", intervalCount: 1, amount: 10, usage: "metered" });
    sandbox.addPrice({
      id: "tiered",
      interval: "month",
      intervalCount: 1,
      amount: 0,
      tiers: [{ upTo: 5, unit: 100, flat: 0 }, { upTo: null, unit: 80, flat: 50 }],
    });
    const alone = sandbox.subscribe({ customerId: customer, priceIds: [{ price: "used", quantity: 1 }] });
    expect(alone).toMatchObject({ status: "active", latest_invoice: null });
    const both = await sdk.subscriptions.create({
      customer,
      items: [{ price: "used" }, { price: "tiered", quantity: 10 }],
    });
    const [metered] = both.items.data;
    expect(metered).not.toHaveProperty("quantity");
    const first = await invoice(String(both.latest_invoice));
    expect(first.lines.data.map(({ amount, pricing }) => [amount, pricing?.unit_amount_decimal])).toEqual([[
      850,
      null,
    ]]);
    const { lines } = sandbox.renew(both.id, { [metered?.id ?? ""]: 40 });
    expect(lines.data.map(({ amount, quantity }) => [amount, quantity])).toEqual([[400, 40], [850, 10]]);
    expect(await sdk.prices.retrieve("tiered")).toMatchObject({
      unit_amount: null,
      billing_scheme: "tiered",
    });
  });

  it("is nothing in a period that was billed before", async () => {
    const { sandbox, sdk, subscription, now } = await open();
    sandbox.prebill(subscription.id, { until: now() + 59 * DAY });
    const [item] = (await sdk.subscriptions.retrieve(subscription.id)).items.data;
    expect(item?.billed_until).toBe(now() + 59 * DAY);
    expect(sandbox.passPeriod(subscription.id)).toBeNull();
    expect(() => sandbox.renew(subscription.id)).not.toThrow();
  });
});

describe("a schedule", () => {
  it("takes a subscription over, changes it with the period, and can be released", async () => {
    const { sandbox, sdk, subscription, passSeconds, heard } = await open();
    const { id } = sandbox.scheduleChanges(subscription.id, [
      { items: [{ price: "price_month_b", quantity: 2 }], metadata: { phase: "2" } },
    ]);
    expect(await heard()).toEqual([
      "subscription_schedule.created",
      "customer.subscription.updated",
      "subscription_schedule.updated",
    ]);
    expect(await sdk.subscriptionSchedules.retrieve(id)).toMatchObject({
      status: "active",
      subscription: subscription.id,
      phases: [{ items: [{ price: "price_month" }] }, { items: [{ price: "price_month_b", quantity: 2 }] }],
    });
    passSeconds(31 * DAY);
    sandbox.advanceSchedule(id);
    expect([...sandbox.state.invoices.values()].at(-1)).toMatchObject({
      billing_reason: "subscription_cycle",
      total: 11_800,
    });
    expect(await sdk.subscriptions.retrieve(subscription.id)).toMatchObject({
      schedule: id,
      metadata: { phase: "2" },
    });
    await sdk.subscriptionSchedules.release(id);
    expect(subscription.schedule).toBeNull();
    expect((await heard()).at(-2)).toBe("subscription_schedule.released");
    expect((await sdk.subscriptionSchedules.list({ customer: subscription.customer })).data).toHaveLength(1);
  });

  it("changes in mid-period with a proration, and ends with its subscription", async () => {
    const { sandbox, sdk, customer, now, passSeconds } = await open();
    const item = (price: string) => [{ price, quantity: 1 }];
    const schedule = sandbox.createSchedule({
      customerId: customer,
      phases: [
        { items: item("price_month"), endDate: now() + 15.5 * DAY },
        { items: item("price_month_b"), endDate: now() + 31 * DAY, proration: "always_invoice" },
      ],
    });
    passSeconds(15.5 * DAY);
    sandbox.advanceSchedule(schedule.id);
    const { lines } = [...sandbox.state.invoices.values()].at(-1) ?? {};
    expect(lines?.data.map(({ amount }) => amount)).toEqual([-2450, 2950]);
    await sdk.subscriptionSchedules.cancel(schedule.id);
    expect([schedule.status, sandbox.state.subscriptions.get(schedule.subscription ?? "")?.status]).toEqual([
      "canceled",
      "canceled",
    ]);
    await expect(sdk.subscriptionSchedules.release(schedule.id)).rejects.toMatchObject({ statusCode: 400 });
  });
});

describe("pauses and locks", () => {
  it("end by themselves: collection at resumes_at, the subscription when it is resumed", async () => {
    const { sandbox, sdk, subscription, now } = await open();
    sandbox.pauseCollection(subscription.id, "void", now() + DAY);
    expect(subscription.pause_collection?.resumes_at).toBe(now() + DAY);
    sandbox.resumeCollection(subscription.id);
    sandbox.pause(subscription.id);
    const paused = await sdk.subscriptions.retrieve(subscription.id);
    expect(paused.status_details?.paused).toEqual({
      subscription: { type: "pause_requested" },
      transitioned_at: now(),
      type: "subscription",
    });
    sandbox.resume(subscription.id);
    expect(await sdk.subscriptions.retrieve(subscription.id)).not.toHaveProperty("status_details");
    sandbox.pause(subscription.id, { type: "final_payment_failure" });
    expect(subscription.status_details?.paused.subscription.type).toBe("final_payment_failure");
  });

  it("hit one object: 429 with lock_timeout, and no other", async () => {
    const { sandbox, sdk, subscription, customer } = await open();
    sandbox.lock(subscription.id);
    expect((await sdk.customers.retrieve(customer)).id).toBe(customer);
    await expect(sdk.subscriptions.update(subscription.id, { metadata: { a: "1" } })).rejects.toMatchObject({
      statusCode: 429,
      code: "lock_timeout",
    });
    expect((await sdk.subscriptions.update(subscription.id, { metadata: { a: "1" } })).metadata).toEqual({
      a: "1",
    });
  });
});
