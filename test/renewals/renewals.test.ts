import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import { addTask, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { dayIn, issues, live, night, renewals, toldOf } from "./support.ts";

/** A clinic with one customer, who refills monthly under a prescription of so many fills. */
async function withCustomer(terms: Parameters<World["clinic"]["prescribe"]>[2] = {}, leadDays = 30) {
  const world = await makeWorld();
  await world.clinic.openShop();
  await sql`update registry.products set renewal_lead_days = ${leadDays}`.execute(world.db);
  const person = await world.clinic.signUp("Ada Example");
  const prescriptionId = world.clinic.prescribe(person, "price_morning_month", terms);
  const { subscriptionId } = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  await ship(world);
  return { world, person, prescriptionId, subscriptionId };
}

/** The pharmacy fills and ships what it has. */
async function ship(world: World): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    world.clinic.workPharmacy();
    await world.drainAll();
  }
}

async function why(world: World, person: Person) {
  const { rows } = await sql<{ in_renewal: string; why: string }>`
    select in_renewal, why from ops.renewals where customer_id = ${person.customerId}`.execute(world.db);
  return rows[0];
}

describe("a prescription that ends", { timeout: 120_000 }, () => {
  test("is asked for, reminded, lapses with billing paused, and a new prescription sets it all right", async () => {
    const { world, person, subscriptionId } = await withCustomer({ validUntil: dayIn(60) });
    await night(world);
    expect(await renewals(world)).toEqual([]);
    expect(await why(world, person)).toMatchObject({ in_renewal: "no" });

    await live(world, 24);
    expect(await renewals(world)).toMatchObject([{
      state: "SCHEDULED",
      cause: "EXPIRES",
      contacted_at: null,
    }]);
    expect(toldOf(world, person)).toEqual([]);

    await live(world, 10);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED", reminders: 0 }]);
    expect(toldOf(world, person)).toEqual(["renewal_due"]);
    expect((await why(world, person))?.why).toContain("was asked on");

    await live(world, 25);
    expect(toldOf(world, person)).toEqual(["renewal_due", "renewal_reminder", "renewal_reminder"]);

    await live(world, 3);
    expect(await renewals(world)).toMatchObject([{ state: "LAPSED" }]);
    expect(world.vendors.stripe.state.subscriptions.get(subscriptionId)).toMatchObject({
      status: "active",
      pause_collection: { behavior: "void" },
    });
    expect((await stopped(world)).map(({ reason_code }) => reason_code)).toContain("RENEWAL_LAPSED");
    expect(toldOf(world, person).at(-1)).toBe("renewal_lapsed");
    await live(world, 3);
    const lapsed = (await stopped(world)).filter(({ reason_code }) => reason_code === "RENEWAL_LAPSED");
    expect(lapsed, "one row for a person, not one a day").toHaveLength(1);

    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    await night(world);
    expect(await renewals(world)).toMatchObject([{ state: "RENEWED", closed_because: expect.any(String) }]);
    expect(world.vendors.stripe.state.subscriptions.get(subscriptionId)?.pause_collection).toBeNull();
    expect(world.vendors.stripe.state.subscriptions.get(subscriptionId)?.metadata).toEqual({});
    expect(toldOf(world, person).at(-1)).toBe("renewal_renewed");
    expect((await stopped(world)).filter(({ step }) => step.startsWith("renewal."))).toEqual([]);
    expect(toldOf(world, person).filter((name) => name === "renewal_due")).toHaveLength(1);
  });

  test("whose last fill is used up opens at once, without waiting for the night", async () => {
    const { world } = await withCustomer({ fills: 1 });
    const [renewal] = await renewals(world);
    // 30 days are left, and 30 are the lead time: the customer is asked now.
    expect(renewal?.contacted_at).not.toBeNull();
  });

  test("releases the order that waits when it is renewed", async () => {
    const { world, person, subscriptionId } = await withCustomer({ fills: 1 });
    await world.pass({ days: 31 });
    world.vendors.stripe.renew(subscriptionId);
    await world.drainAll();
    expect((await orders(world)).map(({ state }) => state)).toEqual(["DELIVERED", "AWAITING_PRESCRIPTION"]);
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect((await orders(world)).map(({ state }) => state)).toEqual(["DELIVERED", "PLACED"]);
    expect((await renewals(world)).at(0)).toMatchObject({ state: "RENEWED" });
  });

  test("opens before the charge that it does not cover, whatever the lead time", async () => {
    const { world, subscriptionId } = await withCustomer({ validUntil: dayIn(25) }, 1);
    await world.pass({ days: 8 });
    await night(world);
    expect(await renewals(world)).toEqual([]);
    world.vendors.stripe.announceRenewal(subscriptionId);
    await world.drainAll();
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
  });
});

test("a charge that failed still asks for its fill: it may be paid any day", async () => {
  const { world, subscriptionId } = await withCustomer({ fills: 2 });
  await world.pass({ days: 31 });
  world.vendors.stripe.failPayment(subscriptionId);
  await world.drainAll();
  // The fill that is left is for this charge, and not for the one in a month.
  await night(world);
  expect(await renewals(world)).toMatchObject([{ cause: "RUNS_OUT", state: "CONTACTED" }]);
});

describe("nobody is written to in vain", { timeout: 120_000 }, () => {
  test.each([
    ["status paused", (world: World, id: string) => world.vendors.stripe.pause(id)],
    ["collection paused", (world: World, id: string) => world.vendors.stripe.pauseCollection(id)],
  ])("%s: no campaign, no lapse, and it goes on after the pause", async (_name, pause) => {
    const { world, person, subscriptionId } = await withCustomer({ validUntil: dayIn(45) });
    await live(world, 10);
    expect(await renewals(world)).toMatchObject([{ state: "SCHEDULED" }]);
    pause(world, subscriptionId);
    await live(world, 40);
    expect(toldOf(world, person)).toEqual([]);
    expect(await renewals(world)).toMatchObject([{ state: "SCHEDULED" }]);
    expect((await why(world, person))?.why).toContain("paused");
    if (world.vendors.stripe.state.subscriptions.get(subscriptionId)?.status === "paused") {
      world.vendors.stripe.resume(subscriptionId);
    } else world.vendors.stripe.resumeCollection(subscriptionId);
    await live(world, 2);
    expect(toldOf(world, person)).toContain("renewal_due");
    expect(await renewals(world)).toMatchObject([{ state: "LAPSED" }]);
  });

  test("a cancelled subscription ends the renewal and its campaign", async () => {
    const { world, person, subscriptionId } = await withCustomer({ fills: 1 });
    world.vendors.stripe.cancel(subscriptionId);
    await world.drainAll();
    await night(world);
    expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }]);
    expect(toldOf(world, person)).toEqual(["renewal_due", "renewal_cancelled"]);
  });

  test("a pause between the decision and the mail holds the mail back", async () => {
    const { world, person, subscriptionId } = await withCustomer({ validUntil: dayIn(45) });
    await sql`update clockwork.vendors set paused_until = clockwork.now() + interval '30 days' where vendor = 'crm'`
      .execute(world.db);
    await live(world, 16);
    world.vendors.stripe.pause(subscriptionId);
    await sql`update clockwork.vendors set paused_until = null where vendor = 'crm'`.execute(world.db);
    await live(world, 3);
    expect(toldOf(world, person)).toEqual([]);
    expect(await tasksOf(world, "renewal.tell_crm")).toMatchObject([{ reason_code: "CUSTOMER_ON_HOLD" }]);
  });

  test("doubled ticks, doubled finds and a resend make no second campaign", async () => {
    const { world, person } = await withCustomer({ fills: 1 });
    await Promise.all([
      sql`select clockwork.start_due_renewals()`.execute(world.db),
      sql`select clockwork.start_due_renewals()`.execute(world.db),
      addTask(world.db, "renewal.find", {}, "stripe"),
      addTask(world.db, "renewal.find", {}, "stripe"),
    ]);
    await world.drainAll();
    for (
      const { id } of [
        ...await tasksOf(world, "renewal.advance"),
        ...await tasksOf(world, "renewal.tell_crm"),
      ]
    ) await setStatus(world.db, id, "PENDING");
    await world.drainAll();
    expect(toldOf(world, person)).toEqual(["renewal_due"]);
    expect(await renewals(world)).toHaveLength(1);
  });

  test("a subscription that bills another product too is not paused: a person decides", async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Bea Example");
    world.clinic.prescribe(person, "price_morning_month", { validUntil: dayIn(10, world.now()) });
    world.clinic.prescribe(person, "price_evening_month");
    const both = world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }, {
        price: "price_evening_month",
        quantity: 1,
      }],
    });
    await world.drainAll();
    await live(world, 12);
    expect(await renewals(world)).toMatchObject([{ state: "LAPSED" }]);
    expect(world.vendors.stripe.state.subscriptions.get(both.id)?.pause_collection).toBeNull();
    expect((await stopped(world)).map(({ reason_code }) => reason_code).sort())
      .toEqual(["BILLING_NOT_PAUSED", "RENEWAL_LAPSED"]);
  });
});

test(
  "billing that was paused and resumed is not touched by a late resend",
  { timeout: 120_000 },
  async () => {
    const { world, person, subscriptionId } = await withCustomer({ fills: 1 });
    await live(world, 33);
    expect(await tasksOf(world, "renewal.pause_billing")).toMatchObject([{ status: "DONE" }]);
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    // A look that read the subscription before it was resumed may ask for it once more: it finds nothing to do.
    const resumed = await tasksOf(world, "renewal.resume_billing");
    expect(new Set(resumed.map(({ status }) => status))).toEqual(new Set(["DONE"]));
    // One pause and one resumption, and not a call more.
    expect(world.vendors.stripe.faults.calls.get("update subscription")).toBe(2);
    world.vendors.stripe.pauseCollection(subscriptionId);
    for (const step of ["renewal.pause_billing", "renewal.resume_billing"]) {
      for (const { id } of await tasksOf(world, step)) await setStatus(world.db, id, "PENDING");
    }
    await world.drainAll();
    expect(
      world.vendors.stripe.state.subscriptions.get(subscriptionId)?.pause_collection,
      "the customer's own pause",
    )
      .not.toBeNull();
  },
);

describe("what cannot be told goes to a person, and leaves again by itself", { timeout: 120_000 }, () => {
  test.each([
    ["no days' supply", { daysSupply: null }, "the days' supply"],
    ["an expiry that is a year and month", { validUntil: "2027-09" }, "the last day it is valid"],
    ["no number of repeats", { repeats: null }, "the number of fills"],
  ])("%s", async (_name, changes, what) => {
    const { world, prescriptionId } = await withCustomer();
    world.vendors.health.updatePrescription(prescriptionId, changes);
    await world.drainAll();
    await night(world);
    expect(await stopped(world)).toEqual([]);
    await live(world, 4);
    const asked = (await stopped(world)).filter(({ step }) => step === "renewal.check");
    expect(asked).toMatchObject([{
      reason_code: "REFILL_DATES_UNKNOWN",
      reason: expect.stringContaining(what),
    }]);
    expect(await issues(world)).toContainEqual("unknown dates");
    world.vendors.health.updatePrescription(prescriptionId, {
      daysSupply: 30,
      validUntil: dayIn(300, world.now()),
      repeats: 11,
    });
    await world.drainAll();
    expect((await stopped(world)).filter(({ step }) => step === "renewal.check")).toEqual([]);
  });

  test("a prescription for something else, and none at all after a first few days", async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Cleo Example");
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    await night(world);
    expect(await stopped(world)).toEqual([]);
    expect(await issues(world)).toContainEqual("no prescription");
    await live(world, 4);
    expect((await stopped(world)).map(({ reason_code }) => reason_code)).toEqual([
      "REFILL_WITHOUT_PRESCRIPTION",
    ]);
    world.clinic.prescribe(person, "price_evening_month");
    await world.drainAll();
    await night(world);
    expect(await issues(world)).toContainEqual("wrong product");
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
  });

  test("a price in no product, and a status nobody has heard of", async () => {
    const { world, subscriptionId } = await withCustomer();
    await live(world, 3);
    const subscription = world.vendors.stripe.state.subscriptions.get(subscriptionId);
    if (!subscription) throw new Error("no subscription");
    Object.assign(subscription, { status: "hibernating" });
    await live(world, 1);
    expect(await stopped(world)).toMatchObject([{ reason_code: "SUBSCRIPTION_STATUS_UNKNOWN" }]);
    Object.assign(subscription, { status: "active" });
    await sql`delete from registry.product_keys where key = 'price_morning_month'`.execute(world.db);
    await live(world, 1);
    // Beside the price itself, of which the count asks.
    expect((await stopped(world)).filter(({ step }) => step.startsWith("renewal.")))
      .toMatchObject([{ reason_code: "UNKNOWN_PRODUCT" }]);
    expect(await issues(world)).toContainEqual("unknown product");
  });

  test("two active prescriptions for one product are shown, and stop nobody", async () => {
    const { world, person } = await withCustomer();
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect(await issues(world)).toEqual(["two prescriptions"]);
    expect(await stopped(world)).toEqual([]);
  });

  test("the pharmacy's word that all fills are used opens a renewal before the health record knows", async () => {
    const { world } = await withCustomer({ fills: 12 });
    const [held] = world.vendors.pharmacy.state.prescriptions.values();
    if (!held) throw new Error("no prescription at the pharmacy");
    Object.assign(held, { fillsRemaining: 0 });
    await addTask(world.db, "renewal.check", { customer_id: 1, ask_pharmacy: true }, "health");
    await world.drainAll();
    expect(await renewals(world)).toMatchObject([{ cause: "NO_FILLS_LEFT" }]);
  });

  test("a charge announced for after the last day of the pharmacy's copy opens a renewal", async () => {
    const { world, subscriptionId } = await withCustomer({ fills: 12, validUntil: dayIn(300) });
    const [held] = world.vendors.pharmacy.state.prescriptions.values();
    if (!held) throw new Error("no prescription at the pharmacy");
    Object.assign(held, { expirationDate: dayIn(25) });
    await live(world, 1);
    expect(await renewals(world)).toEqual([]);
    world.vendors.stripe.announceRenewal(subscriptionId);
    await world.drainAll();
    expect(await renewals(world)).toMatchObject([{ cause: "EXPIRES" }]);
  });
});

test("an outage of the health record for a night only delays the finder", { timeout: 120_000 }, async () => {
  const { world, person } = await withCustomer({ validUntil: dayIn(40) });
  await sql`update clockwork.vendors set paused_until = clockwork.now() + interval '36 hours' where vendor = 'health'`
    .execute(world.db);
  await live(world, 20);
  expect(toldOf(world, person)).toEqual(["renewal_due"]);
});

describe("an order that is being placed while its refill is looked at", { timeout: 60_000 }, () => {
  // The pharmacy has counted the last fill; here the order is still waiting for it.
  test.each(["effect sent", "step ran"])("is not taken for one that nothing covers: %s", async (moment) => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_morning_month", { fills: 1 });
    await world.drainAll();
    const { subscriptionId } = world.clinic.subscribe(person, "price_morning_month");
    let looked = false;
    world.deps.faultPoint = async (name) => {
      if (name !== moment || looked || world.vendors.pharmacy.state.orders.size === 0) return;
      looked = true;
      world.deps.faultPoint = () => Promise.resolve();
      await addTask(
        world.db,
        "renewal.check",
        { customer_id: person.customerId, ask_pharmacy: true },
        "health",
      );
      // Another drain: the queues of this one are in its hands.
      await sql`update clockwork.vendors set leased_by = null, leased_until = null`.execute(world.db);
      await drain({ ...world.deps, boss: makeBoss(world.db) });
    };
    await world.drainAll();
    await world.pass({ minutes: 5 });
    await world.drainAll();
    expect(looked).toBe(true);
    expect((await orders(world)).map(({ state }) => state)).toEqual(["PLACED"]);
    expect(world.vendors.stripe.state.subscriptions.get(subscriptionId)?.pause_collection).toBeNull();
    expect((await renewals(world)).every(({ lapsed_at }) => lapsed_at === null)).toBe(true);
    expect((await stopped(world)).filter(({ step }) => step.startsWith("renewal."))).toEqual([]);
  });
});
