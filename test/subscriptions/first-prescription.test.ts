import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import type { Person, PriceId } from "../../scripts/local/clinic.ts";
import { isoDay } from "../../scripts/local/clinic.ts";
import type { CardState } from "../../scripts/local/sandbox/stripe/cards.ts";
import { addTask, effects, expectAtRest, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

const MONTH: PriceId = "price_morning_month";

/** A clinic that sells the morning tablets by prescription, and a customer who has not been prescribed anything yet. */
async function open(
  { card = "default", defaults = [MONTH] }: { card?: CardState; defaults?: readonly PriceId[] } = {},
) {
  const world = await makeWorld();
  await world.clinic.openShop([], defaults);
  const person = await world.clinic.signUp("Ada Example", undefined, card);
  await world.settle();
  return { world, person };
}

/** What is due is done, and what waits for the start's own moment is reached. */
async function settleIn(world: World): Promise<void> {
  await world.settle();
  await world.pass({ minutes: 20 });
  await world.settle();
}

const subscriptionsOf = (world: World, { stripeCustomerId }: Person) =>
  [...world.vendors.stripe.state.subscriptions.values()].filter(({ customer }) =>
    customer === stripeCustomerId
  );
const charges = (world: World) =>
  [...world.vendors.stripe.state.charges.values()].filter(({ status }) => status === "succeeded");

async function productId(world: World, name = "Morning tablets"): Promise<number> {
  const { id } = await world.db.selectFrom("registry.products").select("id").where("name", "=", name)
    .executeTakeFirstOrThrow();
  return id;
}

async function without(world: World) {
  const { rows } = await sql<{ product: string; why: string; task_id: number | null }>`
    select product, why, task_id from ops.prescribed_without_subscription order by product`.execute(world.db);
  return rows;
}

const findings = async (world: World) =>
  await world.db.selectFrom("tracker.first_prescriptions").selectAll().orderBy("product_id").execute();

/** A morning prescription in the health record alone, on whatever terms. */
function write(world: World, person: Person, terms: Record<string, unknown> = {}) {
  return world.vendors.health.writePrescription({
    patientId: person.healthPatientId,
    rxnorm: "1000001",
    drug: "CANARY-DRUG",
    repeats: 11,
    validUntil: isoDay(new Date(world.now().getTime() + 300 * 86_400_000)),
    daysSupply: 30,
    ...terms,
  });
}

/** When it says that it was written. */
function backdate(world: World, id: string, days: number) {
  const prescription = world.vendors.health.state.prescriptions.get(id);
  if (!prescription) throw new Error("no such prescription");
  Object.assign(prescription, {
    authoredOn: new Date(world.now().getTime() - days * 86_400_000).toISOString(),
  });
}

describe("a customer's first prescription of a product", { timeout: 60_000 }, () => {
  test("becomes one subscription at the product's default price, which is charged and shipped", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    expect(subscriptionsOf(world, person), "a Checkout under way comes first").toEqual([]);
    expect(await tasksOf(world, "subscription.start")).toMatchObject([{
      status: "PENDING",
      reason_code: "SUBSCRIPTION_STARTS_LATER",
      reason: expect.stringMatching(/is started at \d{4}-\d\d-\d\d \d\d:\d\d UTC/),
    }]);
    expect(await without(world)).toMatchObject([{ why: expect.stringContaining("is started at") }]);
    await settleIn(world);
    const [subscription, ...others] = subscriptionsOf(world, person);
    expect(others).toEqual([]);
    expect(subscription).toMatchObject({
      status: "active",
      metadata: {
        clockwork_customer: String(person.customerId),
        clockwork_product: String(await productId(world)),
      },
      items: { data: [{ price: { id: MONTH }, quantity: 1 }] },
    });
    expect(charges(world)).toHaveLength(1);
    expect(await orders(world)).toMatchObject([{ state: "PLACED", subscription_id: subscription?.id }]);
    expect(await findings(world)).toMatchObject([{ finding: "STARTED", subscription_id: subscription?.id }]);
    expect(await without(world)).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("begins at the price the customer chose, also where the product has no default", async () => {
    for (const defaults of [[MONTH], []]) {
      const { world, person } = await open({ defaults });
      await world.clinic.choosePrice(person, "price_morning_quarter");
      world.clinic.prescribe(person, MONTH);
      await settleIn(world);
      expect(subscriptionsOf(world, person)).toMatchObject([{
        items: { data: [{ price: { id: "price_morning_quarter" } }] },
      }]);
      expect(await orders(world)).toHaveLength(3);
    }
  });

  test("begins when the choice is made after it was written", async () => {
    const { world, person } = await open({ defaults: [] });
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    expect(await without(world)).toMatchObject([{ why: expect.stringContaining("chose no price") }]);
    await world.clinic.choosePrice(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("starts nothing, and asks nobody, where the product is sold by Checkout only", async () => {
    const { world, person } = await open({ defaults: ["price_evening_month"] });
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    expect(await tasksOf(world, "subscription.start")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
    expect(await findings(world)).toMatchObject([{ finding: "NO_PRICE" }]);
    world.clinic.subscribe(person, MONTH);
    await settleIn(world);
    expect(await without(world), "who subscribed by Checkout is no question").toEqual([]);
  });

  test("for two products becomes two subscriptions", async () => {
    const { world, person } = await open({ defaults: [MONTH, "price_evening_month"] });
    world.clinic.prescribe(person, MONTH);
    world.clinic.prescribe(person, "price_evening_month");
    await settleIn(world);
    expect(subscriptionsOf(world, person).map(({ items }) => items.data.map(({ price }) => price.id)).sort())
      .toEqual([["price_evening_month"], ["price_morning_month"]]);
  });

  test("is charged to a card that is merely on file", async () => {
    const { world, person } = await open({ card: "on_file" });
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toMatchObject([{ status: "active" }]);
  });

  test("that is valid only from a later day on starts on that day", async () => {
    const { world, person } = await open();
    const id = write(world, person, {
      validUntil: isoDay(new Date(world.now().getTime() + 200 * 86_400_000)),
    });
    const prescription = world.vendors.health.state.prescriptions.get(id);
    const from = new Date(world.now().getTime() + 40 * 86_400_000);
    Object.assign(prescription?.dispenseRequest?.validityPeriod ?? {}, { start: isoDay(from) });
    await settleIn(world);
    expect(await tasksOf(world, "subscription.start")).toMatchObject([{
      status: "PENDING",
      reason_code: "PRESCRIPTION_NOT_VALID_YET",
    }]);
    expect(subscriptionsOf(world, person)).toEqual([]);
    await world.pass({ days: 42 });
    await world.settle();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("that is replaced while a later one waits does not wait for that one's day", async () => {
    const { world, person } = await open();
    const id = write(world, person);
    const prescription = world.vendors.health.state.prescriptions.get(id);
    const from = new Date(world.now().getTime() + 40 * 86_400_000);
    Object.assign(prescription?.dispenseRequest?.validityPeriod ?? {}, { start: isoDay(from) });
    await settleIn(world);
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });
});

describe("what the customer has or had is never revived or doubled", { timeout: 60_000 }, () => {
  const STATES: [string, (world: World, id: string) => void][] = [
    ["active", () => {}],
    ["paused", (world, id) => void world.vendors.stripe.pause(id)],
    ["not collected", (world, id) => void world.vendors.stripe.pauseCollection(id)],
    ["past due", (world, id) => void world.vendors.stripe.failPayment(id)],
    ["cancelled", (world, id) => void world.vendors.stripe.cancel(id)],
    ["ending with its period", (world, id) => void world.vendors.stripe.cancelAtPeriodEnd(id)],
  ];
  test.each(STATES)("a subscription that is %s", async (_name, become) => {
    const { world, person } = await open();
    // Before anybody was told of a price of this product by prescription.
    const { subscriptionId } = world.clinic.subscribe(person, "price_morning_quarter");
    await world.settle();
    become(world, subscriptionId);
    await world.settle();
    const before = structuredClone(subscriptionsOf(world, person));
    const paid = charges(world).length;
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual(before);
    expect(charges(world)).toHaveLength(paid);
    expect(await findings(world)).toMatchObject([{ finding: "SUBSCRIBED", subscription_id: subscriptionId }]);
    expect((await effects(world)).filter(({ vendor }) => vendor === "stripe")).toEqual([]);
    expect((await stopped(world)).filter(({ step }) => step.startsWith("subscription."))).toEqual([]);
  });

  test.each(["incomplete", "incomplete_expired"])(
    "a first charge that was never paid: %s",
    async (status) => {
      const { world, person } = await open({ card: "declined" });
      const { id } = world.vendors.stripe.subscribe({
        customerId: person.stripeCustomerId,
        priceIds: [{ price: MONTH, quantity: 1 }],
        paymentBehavior: "allow_incomplete",
      });
      if (status === "incomplete_expired") world.vendors.stripe.expireIncomplete(id);
      world.vendors.stripe.changeCard(person.stripeCustomerId, "default");
      world.clinic.prescribe(person, MONTH);
      await settleIn(world);
      expect(subscriptionsOf(world, person)).toMatchObject([{ id, status }]);
      expect(charges(world)).toEqual([]);
    },
  );

  test("one that we started and the customer cancelled stays cancelled, whatever is prescribed or resent", async () => {
    const { world, person } = await open();
    const first = world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const [subscription] = subscriptionsOf(world, person);
    world.vendors.stripe.cancel(subscription?.id ?? "");
    await world.settle();
    world.vendors.health.cancelPrescription(first);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    world.vendors.stripe.forgetIdempotencyKeys();
    for (const { id } of await tasksOf(world, "subscription.start")) await setStatus(world.db, id, "PENDING");
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toMatchObject([{ status: "canceled" }]);
    expect(charges(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("one with two products, each prescribed", async () => {
    const { world, person } = await open({ defaults: [MONTH, "price_evening_month"] });
    const both = world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_morning_quarter", quantity: 1 }, {
        price: "price_evening_month",
        quantity: 1,
      }],
    });
    world.clinic.prescribe(person, MONTH);
    world.clinic.prescribe(person, "price_evening_month");
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await findings(world)).toMatchObject([
      { finding: "SUBSCRIBED", subscription_id: both.id },
      { finding: "SUBSCRIBED", subscription_id: both.id },
    ]);
    expect(await stopped(world)).toEqual([]);
  });

  test("one with a price in no product goes to a person, who adds it", async () => {
    const { world, person } = await open();
    world.vendors.stripe.addPrice({ id: "price_old", interval: "month", intervalCount: 1, amount: 4500 });
    world.vendors.stripe.outbox.faults.silent = true;
    world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_old", quantity: 1 }],
    });
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const [asked, ...others] = await stopped(world);
    expect(others).toEqual([]);
    expect(asked).toMatchObject({
      step: "subscription.start",
      reason_code: "UNKNOWN_PRODUCT",
      reason: "No product has the stripe_price price_old.",
    });
    await world.db.insertInto("registry.product_keys").values({
      system: "stripe_price",
      key: "price_old",
      product_id: await productId(world),
      fills_per_charge: 1,
    }).execute();
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.settle();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("one of the Stripe customer that they were before a merge", async () => {
    const { world, person } = await open();
    const former = world.vendors.stripe.createCustomer({});
    const { id } = world.vendors.stripe.subscribe({
      customerId: former.id,
      priceIds: [{ price: MONTH, quantity: 1 }],
    });
    world.vendors.stripe.cancel(id);
    await world.db.insertInto("registry.former_keys").values({
      customer_id: person.customerId,
      system: "stripe",
      key: former.id,
      why: "merged",
    }).execute();
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    expect(await findings(world)).toMatchObject([{ finding: "SUBSCRIBED", subscription_id: id }]);
  });

  test("one that the customer makes by Checkout while ours waits", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    const { subscriptionId } = world.clinic.subscribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toMatchObject([{ id: subscriptionId }]);
    expect(charges(world)).toHaveLength(1);
  });

  test("one that the customer makes by Checkout between our first look and the send", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    let made = "";
    world.deps.faultPoint = (name) => {
      if (name === "effect claimed" && !made) made = world.clinic.subscribe(person, MONTH).subscriptionId;
      return Promise.resolve();
    };
    await settleIn(world);
    expect(made).not.toBe("");
    expect(subscriptionsOf(world, person)).toMatchObject([{ id: made }]);
    expect(charges(world)).toHaveLength(1);
    expect((await effects(world)).filter(({ operation }) => operation === "create subscription"))
      .toMatchObject([{ state: "REFUSED" }]);
  });

  test("one that the customer makes by Checkout in the very moment of the send: a person is told, once", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    let made = "";
    world.deps.faultPoint = (name) => {
      if (name === "effect sent" && !made) made = world.clinic.subscribe(person, MONTH).subscriptionId;
      return Promise.resolve();
    };
    world.vendors.stripe.outbox.faults.doubled = 1;
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(2);
    const asked = (await stopped(world)).filter(({ step }) => step === "subscription.check_doubled");
    expect(asked).toMatchObject([{
      reason_code: "SUBSCRIBED_TWICE",
      reason: expect.stringContaining(made),
    }]);
    world.vendors.stripe.cancel(made);
    await setStatus(world.db, asked[0]?.id ?? 0, "PENDING");
    await world.settle();
    expect((await stopped(world)).filter(({ step }) => step === "subscription.check_doubled")).toEqual([]);
  });
});

describe("money that does not come", { timeout: 60_000 }, () => {
  test("no payment method: a person, once, however often the prescription is edited; a resend goes on", async () => {
    const { world, person } = await open({ card: "none" });
    const id = world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    for (let i = 0; i < 3; i++) {
      world.vendors.health.updatePrescription(id, { daysSupply: 28 + i });
      await settleIn(world);
    }
    const [asked, ...others] = await stopped(world);
    expect(others).toEqual([]);
    expect(asked).toMatchObject({
      reason_code: "NO_PAYMENT_METHOD",
      reason: expect.stringContaining("has no payment method at Stripe"),
    });
    expect(await without(world)).toMatchObject([{ task_id: asked?.id, why: asked?.reason }]);
    expect(subscriptionsOf(world, person)).toEqual([]);
    // Weeks later: what is old by now was new when it was heard of.
    await world.pass({ days: 45 });
    world.vendors.stripe.changeCard(person.stripeCustomerId, "on_file");
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toMatchObject([{ status: "active" }]);
    expect(charges(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("a declined card: nothing is half made, and a resend within the day meets the new card, not the old answer", async () => {
    const { world, person } = await open({ card: "declined" });
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({
      reason_code: "CARD_DECLINED",
      reason: expect.stringContaining("card_declined"),
    });
    expect(subscriptionsOf(world, person)).toEqual([]);
    expect(world.vendors.stripe.state.invoices.size).toBe(0);
    // A resend too early asks again, and is told again.
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.settle();
    expect(await stopped(world)).toMatchObject([{ id: asked?.id, reason_code: "CARD_DECLINED" }]);
    world.vendors.stripe.changeCard(person.stripeCustomerId, "default");
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.settle();
    expect(subscriptionsOf(world, person)).toMatchObject([{ status: "active" }]);
    expect(charges(world)).toHaveLength(1);
    expect(await effects(world)).toContainEqual(
      expect.objectContaining({ operation: "create subscription", state: "CONFIRMED", refusals: 2 }),
    );
  });

  test("a declined card is not tried again by an edit of the prescription", async () => {
    const { world, person } = await open({ card: "declined" });
    const id = world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const tries = world.vendors.stripe.faults.calls.get("create subscription");
    world.vendors.health.updatePrescription(id, { daysSupply: 28 });
    await settleIn(world);
    expect(world.vendors.stripe.faults.calls.get("create subscription")).toBe(tries);
    expect(await stopped(world)).toHaveLength(1);
  });

  test("a card that is taken away in the moment of the send", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    world.deps.faultPoint = (name) => {
      if (name === "effect fenced") world.vendors.stripe.changeCard(person.stripeCustomerId, "none");
      return Promise.resolve();
    };
    await settleIn(world);
    expect(await stopped(world)).toMatchObject([{ reason_code: "NO_PAYMENT_METHOD" }]);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });

  test("a subscription of ours whose first charge is open goes to a person, and no other one is started", async () => {
    const { world, person } = await open({ card: "declined" });
    const product = await productId(world);
    // An answer got lost, and Stripe made it after all, incomplete.
    const made = world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: MONTH, quantity: 1 }],
      metadata: { clockwork_customer: String(person.customerId), clockwork_product: String(product) },
      paymentBehavior: "allow_incomplete",
    });
    const start = await addTask(world.db, "subscription.start", {
      customer_id: person.customerId,
      product_id: product,
      prescription_id: "rx",
    }, "stripe");
    await world.db.insertInto("clockwork.effects").values({
      vendor: "stripe",
      operation: "create subscription",
      key: `subscription:${person.customerId}:${product}`,
      task_id: start,
    }).execute();
    await world.pass({ minutes: 5 });
    await world.settle();
    expect((await stopped(world)).filter(({ id }) => id === start)).toMatchObject([{
      reason_code: "FIRST_CHARGE_OPEN",
    }]);
    world.vendors.stripe.completeFirstPayment(made.id);
    await setStatus(world.db, start, "PENDING");
    await world.settle();
    expect(await world.task(start)).toMatchObject({ status: "DONE" });
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("a product that is retired goes to a person", async () => {
    const { world, person } = await open();
    await sql`update registry.products set status = 'retired' where name = 'Morning tablets'`.execute(
      world.db,
    );
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(await stopped(world)).toMatchObject([{ reason_code: "PRODUCT_NOT_SOLD" }]);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });

  test("a customer whose Stripe key is missing: a person fills it in", async () => {
    const world = await makeWorld();
    await world.clinic.openShop([], [MONTH]);
    const person = await world.clinic.signUp("Ada Example", "stripe_customer_id");
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const [asked] = await stopped(world);
    expect(asked).toMatchObject({ reason_code: "MISSING_CUSTOMER_KEY" });
    await sql`update registry.customers set stripe_customer_id = ${person.stripeCustomerId}`.execute(
      world.db,
    );
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.settle();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });
});

describe("what is not surely a first prescription", { timeout: 60_000 }, () => {
  async function notFirst(world: World) {
    const asked = (await stopped(world)).filter(({ step }) => step === "subscription.start");
    expect(asked).toMatchObject([{ reason_code: "NOT_THE_FIRST_PRESCRIPTION" }]);
    return asked[0]?.id ?? 0;
  }

  test("an earlier one of months ago: a question; PENDING starts it, once", async () => {
    const { world, person } = await open();
    const old = write(world, person, { status: "completed" });
    backdate(world, old, 200);
    await settleIn(world);
    expect(await tasksOf(world, "subscription.start")).toEqual([]);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    const asked = await notFirst(world);
    expect((await stopped(world))[0]?.reason).toContain("an earlier one was written more than 30 days ago");
    await setStatus(world.db, asked, "PENDING");
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("CANCELLED leaves it: it is not asked again for this prescription, and the next one is asked about too", async () => {
    const { world, person } = await open();
    const old = write(world, person, { status: "completed" });
    world.vendors.health.recordDispense({
      patientId: person.healthPatientId,
      prescriptionId: old,
      pharmacyOrderId: "elsewhere",
    });
    const id = world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const asked = await notFirst(world);
    expect((await stopped(world))[0]?.reason).toContain("it was filled before");
    await setStatus(world.db, asked, "CANCELLED");
    world.vendors.health.updatePrescription(id, { daysSupply: 28 });
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    expect(await without(world)).toMatchObject([{ why: "A person decided to leave it.", task_id: null }]);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    await notFirst(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });

  test("one that a person dropped while it waited: the corrected one is a question, not a charge", async () => {
    const { world, person } = await open();
    const id = world.clinic.prescribe(person, MONTH);
    await world.settle();
    await setStatus(world.db, (await tasksOf(world, "subscription.start"))[0]?.id ?? 0, "CANCELLED");
    world.vendors.health.cancelPrescription(id);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    await notFirst(world);
    expect((await stopped(world))[0]?.reason).toContain("was dropped by a person");
  });

  test("one that is old when we first hear of it", async () => {
    const { world, person } = await open();
    const id = write(world, person);
    backdate(world, id, 31);
    await settleIn(world);
    await notFirst(world);
  });

  test("one that was cancelled and written anew the same day is still the first", async () => {
    const { world, person } = await open();
    const wrong = world.clinic.prescribe(person, MONTH);
    await world.settle();
    world.vendors.health.cancelPrescription(wrong);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(charges(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("one that is cancelled while it waits starts nothing", async () => {
    const { world, person } = await open();
    const wrong = world.clinic.prescribe(person, MONTH);
    await world.settle();
    world.vendors.health.cancelPrescription(wrong);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    expect(await without(world)).toMatchObject([{
      why: "The prescription ended before a subscription began.",
    }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("one that is cancelled between our first look and the send starts nothing", async () => {
    const { world, person } = await open();
    const id = world.clinic.prescribe(person, MONTH);
    await world.settle();
    let isCancelled = false;
    world.deps.faultPoint = (name) => {
      if (name === "effect claimed" && !isCancelled) {
        isCancelled = true;
        world.vendors.health.cancelPrescription(id);
      }
      return Promise.resolve();
    };
    await settleIn(world);
    expect(isCancelled).toBe(true);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });

  test.each([
    ["a draft", { status: "draft" }],
    ["on hold", { status: "on-hold" }],
    ["expired", { validUntil: "2020-01-31" }],
    ["entered in error", { status: "entered-in-error" }],
  ])("%s: nothing", async (_name, terms) => {
    const { world, person } = await open();
    write(world, person, terms);
    await settleIn(world);
    expect(await tasksOf(world, "subscription.start")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test.each([
    ["a plan", { intent: "plan" }],
    ["a proposal", { intent: "proposal" }],
    ["an order not to give it", { doNotPerform: true }],
  ])("%s: nothing", async (_name, fields) => {
    const { world, person } = await open();
    Object.assign(world.vendors.health.state.prescriptions.get(write(world, person)) ?? {}, fields);
    await settleIn(world);
    expect(await tasksOf(world, "subscription.start")).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("a draft that becomes active, days later, is the first", async () => {
    const { world, person } = await open();
    const id = write(world, person, { status: "draft" });
    await settleIn(world);
    await world.pass({ days: 5 });
    world.vendors.health.updatePrescription(id, { status: "active" });
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test.each([
    ["no days' supply", { daysSupply: null }, "the days' supply"],
    ["no number of repeats", { repeats: null }, "the number of fills"],
    ["an expiry that is a year and month", { validUntil: "2029-09" }, "the last day it is valid"],
    ["no expiry", { validUntil: null }, "the last day it is valid"],
    ["a status nobody has heard of", { status: "hibernating" }, "its status"],
    ["a status that the health record does not know", { status: "unknown" }, "its status"],
  ])("%s goes to a person, and goes on when it is completed", async (_name, terms, what) => {
    const { world, person } = await open();
    const id = write(world, person, terms);
    await settleIn(world);
    expect(await stopped(world)).toMatchObject([{
      step: "subscription.start",
      reason_code: "PRESCRIPTION_UNCLEAR",
      reason: expect.stringContaining(what),
    }]);
    expect(subscriptionsOf(world, person)).toEqual([]);
    world.vendors.health.updatePrescription(id, {
      status: "active",
      daysSupply: 30,
      repeats: 3,
      validUntil: isoDay(new Date(world.now().getTime() + 300 * 86_400_000)),
    });
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });
});

describe("a prescription for none of our products", { timeout: 60_000 }, () => {
  test("is asked about once, without its code, and goes on when the code was added", async () => {
    const { world, person } = await open();
    const id = write(world, person, { rxnorm: "CANARY-CODE-77" });
    await settleIn(world);
    for (let i = 0; i < 3; i++) {
      world.vendors.health.updatePrescription(id, { daysSupply: 28 + i });
      await world.settle();
    }
    const [asked, ...others] = await stopped(world);
    expect(others).toEqual([]);
    expect(asked).toMatchObject({
      step: "subscription.look",
      reason_code: "PRESCRIPTION_FOR_UNKNOWN_PRODUCT",
      reason: expect.stringContaining(id),
      data: { customer_id: person.customerId, prescription_id: id },
    });
    const { rows } = await sql<{ leaks: number }>`
      select count(*) as leaks from clockwork.tasks where tasks::text like '%CANARY%'`.execute(world.db);
    expect(rows).toEqual([{ leaks: 0 }]);
    // A resend too early stays in front of the person.
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.settle();
    expect(await stopped(world)).toMatchObject([{ id: asked?.id }]);
    await world.db.insertInto("registry.product_keys").values({
      system: "rxnorm",
      key: "CANARY-CODE-77",
      product_id: await productId(world),
    }).execute();
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("that was dropped is not asked about again; another one is", async () => {
    const { world, person } = await open();
    const id = write(world, person, { rxnorm: "999" });
    await settleIn(world);
    await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "CANCELLED");
    world.vendors.health.updatePrescription(id, { daysSupply: 28 });
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    write(world, person, { rxnorm: "998" });
    await settleIn(world);
    expect(await stopped(world)).toHaveLength(1);
  });

  test("that ends is no question any more", async () => {
    const { world, person } = await open();
    const id = write(world, person, { rxnorm: "999" });
    await settleIn(world);
    expect(await stopped(world)).toHaveLength(1);
    world.vendors.health.cancelPrescription(id);
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
  });

  test.each([
    ["without any code", { medicationCodeableConcept: { text: "CANARY-DRUG" } }, "it has no RxNorm code"],
    ["that cannot be read", { intent: 7 }, "it cannot be read"],
    ["whose codes stand for two products", {
      medicationCodeableConcept: {
        coding: ["1000001", "1000002"].map((code) => ({
          system: "http://www.nlm.nih.gov/research/umls/rxnorm",
          code,
        })),
      },
    }, "its codes stand for more than one product"],
  ])("%s", async (_name, fields, why) => {
    const { world, person } = await open();
    const id = write(world, person);
    Object.assign(world.vendors.health.state.prescriptions.get(id) ?? {}, fields);
    await addTask(world.db, "subscription.look", { customer_id: person.customerId }, "health");
    await settleIn(world);
    const asked = (await stopped(world)).filter(({ step }) => step.startsWith("subscription."));
    expect(asked).toMatchObject([{
      reason_code: "PRESCRIPTION_FOR_UNKNOWN_PRODUCT",
      reason: expect.stringContaining(why),
    }]);
    expect(subscriptionsOf(world, person)).toEqual([]);
  });
});

describe("two at once", { timeout: 60_000 }, () => {
  test("two active prescriptions for one product: one subscription, and people see that there are two", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(charges(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
    const { rows } = await sql<{ issue: string }>`select issue from ops.prescription_issues`.execute(
      world.db,
    );
    expect(rows).toEqual([{ issue: "two prescriptions" }]);
  });

  test("every event doubled and shuffled", async () => {
    const { world, person } = await open();
    for (const { outbox } of [world.vendors.stripe, world.vendors.health, world.vendors.pharmacy]) {
      Object.assign(outbox.faults, { doubled: 1, shuffled: true });
    }
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await tasksOf(world, "subscription.start")).toHaveLength(1);
  });

  test("many looks settled together ask once", async () => {
    const { world, person } = await open({ card: "none" });
    write(world, person);
    write(world, person, { rxnorm: "999" });
    for (let i = 0; i < 6; i++) {
      await addTask(world.db, "subscription.look", { customer_id: person.customerId }, "health");
    }
    await settleIn(world);
    expect((await stopped(world)).map(({ reason_code }) => reason_code).sort())
      .toEqual(["NO_PAYMENT_METHOD", "PRESCRIPTION_FOR_UNKNOWN_PRODUCT"]);
  });
});

describe("nobody is forgotten", { timeout: 60_000 }, () => {
  test("a prescription that came before the customer was linked begins when they are", async () => {
    const world = await makeWorld();
    await world.clinic.openShop([], [MONTH]);
    const person = await world.clinic.signUp("Ada Example", "health_patient_id");
    write(world, person);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toEqual([]);
    await sql`update registry.customers set health_patient_id = ${person.healthPatientId}`.execute(world.db);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("nor one that came before the customer had a row at all", async () => {
    const { world } = await open();
    const patientId = world.vendors.health.createPatient({
      name: "Ben Example",
      address: { line: ["1 Street"], city: "Lexington", state: "KY", postalCode: "40507" },
    });
    world.vendors.health.writePrescription({
      patientId,
      rxnorm: "1000001",
      drug: "x",
      repeats: 2,
      daysSupply: 30,
      validUntil: isoDay(new Date(world.now().getTime() + 90 * 86_400_000)),
    });
    await settleIn(world);
    expect(await tasksOf(world, "subscription.look")).toEqual([]);
    const customer = world.vendors.stripe.createCustomer({});
    await sql`insert into registry.customers (stripe_customer_id, health_patient_id)
      values (${customer.id}, ${patientId})`.execute(world.db);
    await settleIn(world);
    expect([...world.vendors.stripe.state.subscriptions.values()]).toMatchObject([{ customer: customer.id }]);
  });

  test("nor one whose event from the health record was lost, once it reaches the pharmacy", async () => {
    const { world, person } = await open();
    world.vendors.health.outbox.faults.dropped = 1;
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });

  test("a patient who is nobody's customer begins nothing, and no customer is made for them", async () => {
    const { world } = await open();
    const patientId = world.vendors.health.createPatient({
      name: "Somebody Else",
      address: { line: ["1 Street"], city: "Lexington", state: "KY", postalCode: "40507" },
    });
    world.vendors.health.writePrescription({ patientId, rxnorm: "1000001", drug: "x" });
    await settleIn(world);
    expect(await stopped(world)).toEqual([]);
    expect(world.vendors.stripe.state.subscriptions.size).toBe(0);
  });

  test("a customer who was merged into another while the start waits: the other one begins, once", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.settle();
    await sql`
      with other as (insert into registry.customers (email) values ('b@example.com') returning id),
        emptied as (update registry.customers set merged_into = (select id from other), stripe_customer_id = null,
          health_patient_id = null, pharmacy_patient_id = null, crm_person_id = null where id = ${person.customerId})
      select 1`.execute(world.db);
    await sql`update registry.customers set stripe_customer_id = ${person.stripeCustomerId},
        health_patient_id = ${person.healthPatientId} where email = 'b@example.com'`.execute(world.db);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("everything comes to rest", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    await expectAtRest(world);
  });
});
