import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { isoDay } from "../../scripts/sandbox/clinic.ts";
import { addTask, effects, expectAtRest, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import {
  backdate,
  charges,
  findings,
  MONTH,
  open,
  productId,
  settleIn,
  subscriptionsOf,
  without,
  write,
} from "./support.ts";

describe("a customer's first prescription of a product", { timeout: 180_000 }, () => {
  test("is begun at what replaced the default price when that is retired, and at none when nothing did", async () => {
    const world = await makeWorld();
    await world.clinic.openShop([], ["price_morning_month"]);
    const retire = (replacedBy: string | null) =>
      world.db.updateTable("registry.product_keys").set({ status: "retired", replaced_by: replacedBy })
        .where("system", "=", "stripe_price").where("key", "=", "price_morning_month").execute();
    await retire("price_morning_quarter");
    const one = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(one, "price_morning_month");
    await world.drainAll();
    await world.pass({ hours: 1 });
    await world.drainAll();
    const prices = [...world.vendors.stripe.state.subscriptions.values()].map((subscription) =>
      subscription.items.data.map(({ price }) => price.id)
    );
    expect(prices).toEqual([["price_morning_quarter"]]);
    await retire(null);
    const other = await world.clinic.signUp("Bob Example");
    world.clinic.prescribe(other, "price_morning_month");
    await world.drainAll();
    await world.pass({ hours: 1 });
    await world.drainAll();
    expect(world.vendors.stripe.state.subscriptions.size).toBe(1);
    expect((await stopped(world)).map(({ reason_code }) => reason_code)).toEqual(["PRODUCT_NOT_SOLD"]);
  });

  test("becomes one subscription at the product's default price, which is charged and shipped", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.drainAll();
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
    await world.drainAll();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("that is valid from a later day on says which by the pharmacy's calendar", async () => {
    const { world, person } = await open();
    await sql`update clockwork.settings set pharmacy_time_zone = 'Pacific/Auckland'`.execute(world.db);
    const prescription = world.vendors.health.state.prescriptions.get(write(world, person));
    const day = isoDay(new Date(world.now().getTime() + 40 * 86_400_000));
    Object.assign(prescription?.dispenseRequest?.validityPeriod ?? {}, { start: day });
    await settleIn(world);
    const [start] = await tasksOf(world, "subscription.start");
    expect(start?.reason).toContain(`is valid from ${day} on`);
  });

  test("that is replaced while a later one waits does not wait for that one's day", async () => {
    const { world, person } = await open();
    const id = write(world, person);
    const prescription = world.vendors.health.state.prescriptions.get(id);
    const from = new Date(world.now().getTime() + 40 * 86_400_000);
    Object.assign(prescription?.dispenseRequest?.validityPeriod ?? {}, { start: isoDay(from) });
    await settleIn(world);
    world.clinic.prescribe(person, MONTH);
    await world.drainAll();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });
});

describe("what the customer has or had is never revived or doubled", { timeout: 180_000 }, () => {
  const STATES: [string, (world: World, id: string) => void][] = [
    ["active", () => {}],
    ["paused", (world, id) => void world.vendors.stripe.pause(id)],
    ["not collected", (world, id) => void world.vendors.stripe.pauseCollection(id)],
    ["past due", (world, id) => void world.vendors.stripe.failPayment(id)],
    ["cancelled", (world, id) => void world.vendors.stripe.cancel(id)],
    ["ending with its period", (world, id) => void world.vendors.stripe.cancelAtPeriodEnd(id)],
  ];
  test("a subscription that is active, paused, not collected, past due, cancelled or ending", async () => {
    const { world } = await open();
    const people = [];
    for (const [name, become] of STATES) {
      const person = await world.clinic.signUp(name);
      const { subscriptionId } = world.clinic.subscribe(person, "price_morning_quarter");
      become(world, subscriptionId);
      people.push({ name, person, subscriptionId });
    }
    await world.drainAll();
    const before = structuredClone([...world.vendors.stripe.state.subscriptions.values()]);
    const paid = charges(world).length;
    for (const { person } of people) world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    expect([...world.vendors.stripe.state.subscriptions.values()]).toEqual(before);
    expect(charges(world)).toHaveLength(paid);
    expect((await findings(world)).map(({ finding, subscription_id }) => [finding, subscription_id]))
      .toEqual(people.map(({ subscriptionId }) => ["SUBSCRIBED", subscriptionId]));
    expect((await effects(world)).filter(({ vendor }) => vendor === "stripe")).toEqual([]);
    expect((await stopped(world)).filter(({ step }) => step.startsWith("subscription."))).toEqual([]);
  });

  test("a first charge that was never paid, still open or expired", async () => {
    const { world } = await open();
    for (const expires of [false, true]) {
      const person = await world.clinic.signUp("Bea Example", undefined, "declined");
      const { id } = world.vendors.stripe.subscribe({
        customerId: person.stripeCustomerId,
        priceIds: [{ price: MONTH, quantity: 1 }],
        paymentBehavior: "allow_incomplete",
      });
      if (expires) world.vendors.stripe.expireIncomplete(id);
      world.vendors.stripe.changeCard(person.stripeCustomerId, "default");
      world.clinic.prescribe(person, MONTH);
      await settleIn(world);
      expect(subscriptionsOf(world, person)).toMatchObject([{
        id,
        status: expires ? "incomplete_expired" : "incomplete",
      }]);
    }
    expect(charges(world)).toEqual([]);
  });

  test("one that we started and the customer cancelled stays cancelled, whatever is prescribed or resent", async () => {
    const { world, person } = await open();
    const first = world.clinic.prescribe(person, MONTH);
    await settleIn(world);
    const [subscription] = subscriptionsOf(world, person);
    world.vendors.stripe.cancel(subscription?.id ?? "");
    await world.drainAll();
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
    await world.drainAll();
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
    await world.drainAll();
    const { subscriptionId } = world.clinic.subscribe(person, MONTH);
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toMatchObject([{ id: subscriptionId }]);
    expect(charges(world)).toHaveLength(1);
  });

  test("one that the customer makes by Checkout between our first look and the send", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.drainAll();
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
    await world.drainAll();
    let made = "";
    world.deps.faultPoint = (name) => {
      if (name === "effect sent" && !made) made = world.clinic.subscribe(person, MONTH).subscriptionId;
      return Promise.resolve();
    };
    world.vendors.stripe.outbox.faults.doubled = 1;
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toHaveLength(2);
    const asked = (await stopped(world)).filter(({ step }) => step === "subscription.compare");
    expect(asked).toMatchObject([{
      reason_code: "SUBSCRIBED_TWICE",
      reason: expect.stringContaining(made),
    }]);
    world.vendors.stripe.cancel(made);
    await setStatus(world.db, asked[0]?.id ?? 0, "PENDING");
    await world.drainAll();
    expect((await stopped(world)).filter(({ step }) => step === "subscription.compare")).toEqual([]);
  });
});

test("who is asked about a start, and subscribes by Checkout meanwhile, is asked no more", {
  timeout: 180_000,
}, async () => {
  const { world, person } = await open({ card: "none" });
  const bea = await world.clinic.signUp("Bea Example");
  backdate(world, write(world, bea), 100);
  world.clinic.prescribe(person, MONTH);
  await settleIn(world);
  expect((await stopped(world)).map(({ reason_code }) => reason_code).sort())
    .toEqual(["NOT_THE_FIRST_PRESCRIPTION", "NO_PAYMENT_METHOD"]);
  world.vendors.stripe.changeCard(person.stripeCustomerId, "default");
  for (const one of [person, bea]) world.clinic.subscribe(one, "price_morning_quarter");
  await world.drainAll();
  expect((await stopped(world)).filter(({ step }) => step === "subscription.start")).toEqual([]);
  for (const one of [person, bea]) expect(subscriptionsOf(world, one)).toHaveLength(1);
  expect((await findings(world)).map(({ finding }) => finding)).toEqual(["SUBSCRIBED", "SUBSCRIBED"]);
});

test("a look at a customer who is not there goes to a person", async () => {
  const { world } = await open();
  const id = await addTask(world.db, "subscription.look", { customer_id: 99 }, "health");
  await world.drainAll();
  expect(await world.task(id)).toMatchObject({
    status: "MANUAL_INTERVENTION",
    reason_code: "CUSTOMER_NOT_THERE",
  });
});

describe("money that does not come", { timeout: 180_000 }, () => {
  test("no payment method: a person, once, however often the prescription is edited; a card added goes on", async () => {
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
    // A resend too early is told the same.
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ id: asked?.id, reason_code: "NO_PAYMENT_METHOD" }]);
    // Weeks later: what is old by now was new when it was heard of. The card alone is news enough.
    await world.pass({ days: 45 });
    world.vendors.stripe.changeCard(person.stripeCustomerId, "on_file");
    await settleIn(world);
    expect(subscriptionsOf(world, person)).toMatchObject([{ status: "active" }]);
    expect(charges(world)).toHaveLength(1);
    expect(await stopped(world)).toEqual([]);
  });

  test("a declined card: nothing is half made, and a new one within the day is tried, not told the old answer", async () => {
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
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ id: asked?.id, reason_code: "CARD_DECLINED" }]);
    world.vendors.stripe.changeCard(person.stripeCustomerId, "default");
    await world.drainAll();
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
    await world.drainAll();
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
    await world.drainAll();
    expect((await stopped(world)).filter(({ id }) => id === start)).toMatchObject([{
      reason_code: "FIRST_CHARGE_OPEN",
    }]);
    world.vendors.stripe.completeFirstPayment(made.id);
    await setStatus(world.db, start, "PENDING");
    await world.drainAll();
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
    // Stripe's news of a customer who names nobody is a question of its own.
    const asked = (await stopped(world)).find(({ step }) => step === "subscription.start");
    expect(asked).toMatchObject({ reason_code: "MISSING_CUSTOMER_KEY" });
    await sql`update registry.customers set stripe_customer_id = ${person.stripeCustomerId}`.execute(
      world.db,
    );
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(subscriptionsOf(world, person)).toHaveLength(1);
  });
});

describe("two at once", { timeout: 180_000 }, () => {
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

describe("nobody is forgotten", { timeout: 180_000 }, () => {
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
    expect(world.vendors.stripe.state.subscriptions.size).toBe(0);
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
    // Whose patient it is, is all that is asked.
    expect((await stopped(world)).map(({ step }) => step)).toEqual(["customer.link"]);
    expect(world.vendors.stripe.state.subscriptions.size).toBe(0);
  });

  test("a customer who was merged into another while the start waits: the other one begins, once", async () => {
    const { world, person } = await open();
    world.clinic.prescribe(person, MONTH);
    await world.drainAll();
    const { rows: [other] } = await sql<{ id: number }>`
      insert into registry.customers (email) values ('b@example.com') returning id`.execute(world.db);
    await sql`select registry.merge_rows(${person.customerId}, ${other?.id ?? 0})`.execute(world.db);
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
