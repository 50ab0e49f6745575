import { describe, expect, test } from "vitest";
import type { Person, PriceId } from "../../scripts/sandbox/clinic.ts";
import { dayIn, explained, night } from "../renewals/support.ts";
import { addTask, answer, heard, orders, stopped } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

// Stories of money and wishes, from Stripe's events to the parcels. Each row of the policy by itself is in test/orders.

interface Story {
  world: World;
  person: Person;
  subscriptionId: string;
  invoiceId: string;
  chargeId: string;
  itemId: string;
}

async function paid(price: PriceId, alsoPrescribed: PriceId[] = []): Promise<Story> {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  for (const one of [price, ...alsoPrescribed]) world.clinic.prescribe(person, one);
  const { subscriptionId, invoiceId, chargeId } = world.clinic.subscribe(person, price);
  await world.drainAll();
  const itemId = world.vendors.stripe.state.subscriptions.get(subscriptionId)?.items.data[0]?.id ?? "";
  return { world, person, subscriptionId, invoiceId, chargeId: chargeId ?? "", itemId };
}

async function days(world: World, count: number): Promise<void> {
  for (let day = 0; day < count; day += 5) {
    await world.pass({ days: Math.min(5, count - day) });
    world.clinic.workPharmacy();
    await world.drainAll();
  }
}

const fills = async (world: World) =>
  (await orders(world)).map(({ fill_number, state, cancel_cause }) => [fill_number, state, cancel_cause]);
const reasons = async (world: World) =>
  (await stopped(world)).map(({ step, reason_code }) => [step, reason_code]);

describe("an item that is switched to another product", { timeout: 120_000 }, () => {
  test("with proration: the fills that the credit covers are called off, and nobody is asked", async () => {
    const { world, subscriptionId, itemId } = await paid("price_morning_quarter", ["price_evening_month"]);
    await days(world, 15);
    world.vendors.stripe.changePrice(subscriptionId, {
      itemId,
      priceId: "price_evening_month",
      prorates: true,
    });
    await world.drainAll();
    await days(world, 65);
    expect((await fills(world)).slice(0, 3)).toEqual([
      [1, "DELIVERED", null],
      [2, "CANCELLED", "refunded"],
      [3, "CANCELLED", "refunded"],
    ]);
    expect(await reasons(world)).toEqual([]);
  });

  test("without: the fills that are paid for are held, and a person is asked once, with both sides", async () => {
    const { world, subscriptionId, itemId } = await paid("price_morning_quarter", ["price_evening_month"]);
    const { stripe } = world.vendors;
    await days(world, 15);
    stripe.changePrice(subscriptionId, { itemId, priceId: "price_evening_month", prorates: false });
    await world.drainAll();
    expect(await reasons(world)).toEqual([["order.decide", "PRODUCT_LEFT"]]);
    await days(world, 65);
    expect((await fills(world)).slice(0, 3)).toEqual([
      [1, "DELIVERED", null],
      [2, "HELD", null],
      [3, "HELD", null],
    ]);
    const [question, ...others] = await stopped(world);
    expect(others).toEqual([]);
    expect(question?.reason).toContain("1 of price_morning_quarter");
    expect(question?.reason).toContain("1 of price_evening_month");
    // The customer goes back to it: the question ends, and what was paid for goes on.
    stripe.changePrice(subscriptionId, { itemId, priceId: "price_morning_quarter", prorates: false });
    await world.drainAll();
    expect(await reasons(world)).toEqual([]);
    expect((await fills(world)).slice(0, 3).map(([, state]) => state)).not.toContain("HELD");
  });
});

describe("an end that is set", { timeout: 120_000 }, () => {
  test.each(["cancel_at", "cancel_at_period_end"])(
    "by %s is one thing: no mail, no next refill date, ending",
    async (how) => {
      const { world, person, subscriptionId } = await paid("price_morning_month");
      const { stripe } = world.vendors;
      const subscription = stripe.state.subscriptions.get(subscriptionId);
      if (how === "cancel_at") {
        stripe.cancelAt(subscriptionId, subscription?.items.data[0]?.current_period_end ?? 0);
      } else stripe.cancelAtPeriodEnd(subscriptionId);
      await world.drainAll();
      const profile = (await world.deps.vendors.crm.readProfiles([person.crmPersonId])).get(
        person.crmPersonId,
      );
      expect([profile?.planState, profile?.nextRefillOn]).toEqual(["ending", null]);
      await night(world);
      expect(await explained(world, person.customerId)).toMatchObject([{ finding: "ENDING" }]);
      expect(
        heard(world, person.crmPersonId).filter((name) => name.startsWith("renewal_")),
      ).toEqual([]);
    },
  );

  test("before a paid fill is due: its fill is a question, the others go on", async () => {
    const { world, subscriptionId } = await paid("price_morning_quarter");
    const { stripe } = world.vendors;
    const at = Date.parse(`${dayIn(40, world.now())}T12:00:00Z`) / 1000;
    stripe.cancelAt(subscriptionId, at, "none");
    await world.drainAll();
    expect(await reasons(world)).toEqual([["order.decide", "SUBSCRIPTION_ENDS"]]);
    await days(world, 35);
    const states = (await fills(world)).map(([, state]) => state);
    expect(states).toEqual(["DELIVERED", expect.not.stringMatching(/HELD|READY|CANCELLED/), "READY"]);
    const [question] = await stopped(world);
    await answer(world.db, question?.id ?? 0, "call_off");
    await world.drainAll();
    expect((await fills(world))[2]).toEqual([3, "CANCELLED", "person"]);
    expect(await reasons(world)).toEqual([]);
  });
});

test(
  "a first payment that is being confirmed: the fill waits, and goes on by itself",
  { timeout: 60_000 },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_morning_month");
    const { stripe } = world.vendors;
    const subscription = stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }],
      paymentBehavior: "default_incomplete",
    });
    const own = stripe.state.subscriptions.get(subscription.id);
    stripe.completeFirstPayment(subscription.id);
    if (own) own.status = "incomplete";
    await world.drainAll();
    expect(await fills(world)).toEqual([[1, "AWAITING_SUBSCRIPTION", null]]);
    expect(await reasons(world)).toEqual([]);
    if (own) own.status = "active";
    stripe.cancelAtPeriodEnd(subscription.id, false);
    await world.drainAll();
    expect(await fills(world)).toEqual([[1, "PLACED", null]]);
  },
);

describe("money that goes back", { timeout: 60_000 }, () => {
  test("by a credit note alone: what is sent is cancelled at the pharmacy", async () => {
    const { world, invoiceId } = await paid("price_morning_month");
    const line = world.vendors.stripe.state.invoices.get(invoiceId)?.lines.data[0];
    world.vendors.stripe.creditNote(invoiceId, { lineId: line?.id ?? "", amount: line?.amount ?? 0 });
    await world.drainAll();
    expect(await fills(world)).toEqual([[1, "CANCELLED", "refunded"]]);
    expect(await reasons(world)).toEqual([]);
  });

  test("by a refund that fails later: a person is asked whether to ship after all", async () => {
    const { world, chargeId } = await paid("price_morning_month");
    const refund = world.vendors.stripe.refund(chargeId);
    await world.drainAll();
    expect(await fills(world)).toEqual([[1, "CANCELLED", "refunded"]]);
    world.vendors.stripe.changeRefund(refund.id, "failed", "expired_or_canceled_card");
    await world.drainAll();
    expect(await reasons(world)).toEqual([["order.replace", "PAID_AFTER_ALL"]]);
    const [question] = await stopped(world);
    await answer(world.db, question?.id ?? 0, "give_back");
    await world.drainAll();
    expect(await reasons(world)).toEqual([]);
    expect(await fills(world)).toEqual([[1, "CANCELLED", "refunded"]]);
  });

  test("an inquiry holds what is not sent, silently, and lets it go when it is closed", async () => {
    const { world, chargeId } = await paid("price_morning_quarter");
    const inquiry = world.vendors.stripe.dispute(chargeId, { status: "warning_needs_response" });
    await world.drainAll();
    await days(world, 35);
    expect((await fills(world)).map(([, state]) => state)).toEqual([
      "DELIVERED",
      "AWAITING_SUBSCRIPTION",
      "READY",
    ]);
    expect(await reasons(world)).toEqual([]);
    world.vendors.stripe.closeDispute(inquiry.id, "warning_closed");
    await world.drainAll();
    expect((await fills(world))[1]?.[1]).toBe("PLACED");
  });
});

describe("lines that are no plain period", { timeout: 60_000 }, () => {
  test("a trial ships nothing and asks nobody; its first charge ships", async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_morning_month");
    const { id } = world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }],
      trialDays: 7,
    });
    await world.drainAll();
    await days(world, 8);
    expect(await fills(world)).toEqual([]);
    world.vendors.stripe.renew(id);
    await world.drainAll();
    expect(await fills(world)).toEqual([[1, "PLACED", null]]);
    expect(await reasons(world)).toEqual([]);
  });

  test("a coupon of 100 % ships like any other payment", async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_morning_month");
    world.vendors.stripe.addCoupon({ id: "all", percentOff: 100, duration: "once" });
    world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }],
      couponIds: ["all"],
    });
    await world.drainAll();
    expect(await fills(world)).toEqual([[1, "PLACED", null]]);
    expect(await reasons(world)).toEqual([]);
  });

  test("a one-off line of a registered price is one question; an answer ships it, once", async () => {
    const { world, person } = await paid("price_morning_month");
    const { stripe } = world.vendors;
    stripe.addOneTimePrice({ id: "price_once", amount: 5900 });
    const [product] = await world.db.selectFrom("registry.products").select("id").where(
      "name",
      "=",
      "Morning tablets",
    )
      .execute();
    await world.db.insertInto("registry.product_keys").values({
      system: "stripe_price",
      key: "price_once",
      product_id: product?.id ?? 0,
      fills_per_charge: 1,
    }).execute();
    const invoice = stripe.invoiceCustomer(person.stripeCustomerId, [{ priceId: "price_once", quantity: 1 }]);
    await world.drainAll();
    expect(await reasons(world)).toEqual([["order.decide", "ONE_OFF_LINE"]]);
    const [question] = await stopped(world);
    expect(question?.reason).toContain("59.00 USD was paid for price_once");
    await answer(world.db, question?.id ?? 0, "ship");
    await world.drainAll();
    const ofIt = (await orders(world)).filter(({ invoice_id }) => invoice_id === invoice.id);
    expect(ofIt).toMatchObject([{ state: "PLACED", subscription_id: null }]);
    expect(await reasons(world)).toEqual([]);
    await days(world, 3);
    expect((await orders(world)).filter(({ invoice_id }) => invoice_id === invoice.id)).toHaveLength(1);
  });

  test("a question about a line is left alone by a review of its invoice's fills", async () => {
    const { world, invoiceId } = await paid("price_morning_month");
    const { id } = await world.db.insertInto("clockwork.tasks").values({
      step: "order.decide",
      vendor: "stripe",
      status: "MANUAL_INTERVENTION",
      reason: "It was paid for, and no subscription asks for it.",
      reason_code: "ONE_OFF_LINE",
      invoice_id: invoiceId,
      data: JSON.stringify({ invoice_id: invoiceId, line_id: "il_once", case: "ONE_OFF" }),
    }).returning("id").executeTakeFirstOrThrow();
    await addTask(world.db, "order.review", { invoice_id: invoiceId }, "stripe");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "MANUAL_INTERVENTION", attempts: 0 });
  });

  test("a fee that nobody registered is no question", async () => {
    const { world, person } = await paid("price_morning_month");
    world.vendors.stripe.invoiceCustomer(person.stripeCustomerId, [{ amount: 500 }]);
    await world.drainAll();
    expect(await reasons(world)).toEqual([]);
    expect(await orders(world)).toHaveLength(1);
  });

  test("more units in mid-period that pay for no whole fill are one question; the key may answer it", async () => {
    const { world, subscriptionId, itemId } = await paid("price_morning_month");
    const { stripe } = world.vendors;
    await days(world, 10);
    stripe.changeQuantity(subscriptionId, itemId, 2, { proration: "always_invoice" });
    await world.drainAll();
    expect(await reasons(world)).toEqual([["order.decide", "SWITCHED_LINE"]]);
    const [question] = await stopped(world);
    await answer(world.db, question?.id ?? 0, "call_off");
    await world.drainAll();
    expect(await reasons(world)).toEqual([]);
    await world.db.updateTable("registry.product_keys").set({ on_switch: "ship_now" })
      .where("key", "=", "price_morning_month").execute();
    stripe.changeQuantity(subscriptionId, itemId, 3, { proration: "always_invoice" });
    await world.drainAll();
    expect(await reasons(world)).toEqual([]);
    expect((await fills(world)).length).toBe(2);
  });
});
