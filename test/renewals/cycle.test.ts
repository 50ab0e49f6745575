import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { DAY_MS } from "../../src/shared/day.ts";
import { stopped } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import {
  atStripe,
  dayIn,
  dispense,
  explained,
  inRecord,
  live,
  type Refiller,
  refiller,
  renewals,
  toldOf,
} from "./support.ts";

// A cycle is known by what it is about: it ends by a prescription, by its subscription or by a person, never by a date.

/** A customer with two fills left, 90 days of drug, whose campaign has begun. */
async function asked(): Promise<{ world: World; who: Refiller }> {
  const world = await makeWorld();
  await world.clinic.openShop();
  await sql`update registry.products set renewal_lead_days = 80`.execute(world.db);
  const who = await refiller(world, { fills: 2 });
  await live(world, 12);
  expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
  return { world, who };
}

/** Somebody puts the next charge off at Stripe, and with it the day of each fill. */
function putOff(world: World, who: Refiller, days: number): void {
  for (const item of atStripe(world, who).items.data) item.current_period_end += days * 86_400;
}

const dueDay = async (world: World) => (await renewals(world)).at(-1)?.due_on.getTime() ?? 0;
const renewalQuestions = async (world: World) =>
  (await stopped(world)).filter(({ step }) => step.startsWith("renewal."));

describe("a date that moves keeps the campaign", { timeout: 180_000 }, () => {
  test("when the next charge is put off by months; reminders go by the new day, and a prescription ends it", async () => {
    const { world, who } = await asked();
    const before = await dueDay(world);
    putOff(world, who, 90);
    await live(world, 2);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED", reminders: 0 }]);
    expect(Math.round((await dueDay(world) - before) / DAY_MS)).toBe(90);
    await live(world, 60);
    expect(toldOf(world, who)).toEqual(["renewal_due"]);
    world.clinic.prescribe(who, "price_morning_month");
    await world.drainAll();
    expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
    expect(toldOf(world, who)).toEqual(["renewal_due", "renewal_renewed"]);
  });

  test.each([
    [
      "status",
      (world: World, who: Refiller) => world.vendors.stripe.pause(who.subscriptionId),
      (world: World, who: Refiller) => world.vendors.stripe.resume(who.subscriptionId),
    ],
    [
      "collection",
      (world: World, who: Refiller) => world.vendors.stripe.pauseCollection(who.subscriptionId),
      (world: World, who: Refiller) => world.vendors.stripe.resumeCollection(who.subscriptionId),
    ],
  ])("when the customer pauses for months: by %s", async (_kind, pause, resume) => {
    const { world, who } = await asked();
    pause(world, who);
    await live(world, 70);
    expect(toldOf(world, who)).toEqual(["renewal_due"]);
    putOff(world, who, 100);
    resume(world, who);
    await live(world, 3);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
    expect(await dueDay(world)).toBeGreaterThan(world.now().getTime() + 100 * DAY_MS);
    expect(toldOf(world, who)).toEqual(["renewal_due"]);
  });

  test("when a refill comes early and its charge takes a fill", async () => {
    const { world, who } = await asked();
    const item = atStripe(world, who).items.data[0];
    world.vendors.stripe.changePrice(who.subscriptionId, {
      itemId: item?.id ?? "",
      priceId: "price_morning_month",
      prorates: false,
      anchor: "now",
    });
    await world.drainAll();
    await live(world, 3);
    putOff(world, who, 40);
    await live(world, 3);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
    expect(toldOf(world, who)).toEqual(["renewal_due"]);
  });

  test("when a prescription was extended by days that cover nothing more", async () => {
    const { world, who } = await asked();
    world.vendors.health.updatePrescription(who.prescriptionId, { validUntil: dayIn(350, world.now()) });
    await world.drainAll();
    putOff(world, who, 60);
    await live(world, 2);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
    // Fills are what it lacks.
    world.vendors.health.updatePrescription(who.prescriptionId, { repeats: 7 });
    await world.drainAll();
    expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
  });

  test("and puts one off that nobody was asked about", async () => {
    const { world, who } = await asked();
    const other = await refiller(world, { fills: 2 });
    await sql`update registry.products set renewal_lead_days = 85`.execute(world.db);
    await live(world, 1);
    const start = (await renewals(world)).find((one) => one.customer_id === other.customerId);
    expect(start).toMatchObject({ state: "SCHEDULED" });
    putOff(world, other, 60);
    await live(world, 8);
    const later = (await renewals(world)).find((one) => one.customer_id === other.customerId);
    expect(later).toMatchObject({ state: "SCHEDULED", contacted_at: null });
    expect(toldOf(world, other)).toEqual([]);
    expect(toldOf(world, who)).toEqual(["renewal_due"]);
  });
});

test("a lapse that ends because a fill came back lets billing go on, and the campaign too", {
  timeout: 180_000,
}, async () => {
  const world = await makeWorld();
  await world.clinic.openShop();
  const who = await refiller(world, { fills: 1 });
  dispense(world, who);
  const [record] = world.vendors.health.state.dispenses.values();
  await live(world, 32);
  expect(await renewals(world)).toMatchObject([{ state: "LAPSED", billing_paused_at: expect.any(Date) }]);
  expect(atStripe(world, who).pause_collection).not.toBeNull();
  expect(await renewalQuestions(world)).toMatchObject([{ reason_code: "RENEWAL_LAPSED" }]);
  Object.assign(record ?? {}, { status: "entered-in-error" });
  putOff(world, who, 32);
  await live(world, 1);
  expect(await renewals(world)).toMatchObject([{
    state: "CONTACTED",
    closed_at: null,
    billing_resumed_at: expect.any(Date),
  }]);
  expect(atStripe(world, who)).toMatchObject({ pause_collection: null, metadata: {} });
  expect(await renewalQuestions(world)).toEqual([]);
  expect(toldOf(world, who).filter((fact) => fact === "renewal_due")).toHaveLength(1);
  expect(toldOf(world, who)).not.toContain("renewal_renewed");
});

describe("a renewal that a person stopped", { timeout: 180_000 }, () => {
  const stop = (world: World) =>
    sql`update tracker.renewals set state = 'CANCELLED', closed_because = 'called: is moving'`.execute(
      world.db,
    );

  test("in words of their own stays stopped until its due day, also when the day moves", async () => {
    const { world, who } = await asked();
    await stop(world);
    await world.drainAll();
    putOff(world, who, 10);
    await live(world, 3);
    world.vendors.stripe.announceRenewal(who.subscriptionId);
    await world.drainAll();
    expect(await renewals(world)).toMatchObject([{
      state: "CANCELLED",
      closed_because: "called: is moving",
      closed_by: "table editor",
    }]);
    expect(toldOf(world, who)).toEqual(["renewal_due", "renewal_cancelled"]);
    expect((await explained(world, who.customerId))[0]?.why).toContain("A person cancelled its renewal");
  });

  test("opens again for the cycle after the next prescription", async () => {
    const { world, who } = await asked();
    await stop(world);
    await world.drainAll();
    world.vendors.health.updatePrescription(who.prescriptionId, { repeats: 2 });
    await world.drainAll();
    await live(world, 35);
    expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }, { state: "CONTACTED", cycle: 2 }]);
  });
});

describe("two refills of one product are one cycle", { timeout: 180_000 }, () => {
  async function twice() {
    const { world, who } = await asked();
    const second = world.vendors.stripe.subscribe({
      customerId: who.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }],
    });
    await live(world, 1);
    expect(await renewals(world)).toMatchObject([{ subscription_id: who.subscriptionId, closed_at: null }]);
    return { world, who, second };
  }

  test("its renewal goes on with the other one when its own ends, and ends with the last", async () => {
    const { world, who, second } = await twice();
    world.vendors.stripe.cancel(who.subscriptionId);
    await world.drainAll();
    await live(world, 1);
    expect(await renewals(world)).toMatchObject([{ subscription_id: second.id, closed_at: null }]);
    expect(toldOf(world, who)).not.toContain("renewal_cancelled");
    world.vendors.stripe.cancel(second.id);
    await world.drainAll();
    await live(world, 1);
    expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }]);
    expect(toldOf(world, who).filter((fact) => fact !== "renewal_lapsed")).toEqual([
      "renewal_due",
      "renewal_cancelled",
    ]);
  });

  test("its renewal goes on with the other one while its own is paused", async () => {
    const { world, who, second } = await twice();
    world.vendors.stripe.pause(who.subscriptionId);
    await world.drainAll();
    await sql`update tracker.renewals set next_on = clockwork.now()`.execute(world.db);
    await live(world, 1);
    expect(await renewals(world)).toMatchObject([{ subscription_id: second.id, closed_at: null }]);
  });
});

test("a switched dose is a cycle of its own", { timeout: 120_000 }, async () => {
  const { world, who } = await asked();
  const item = atStripe(world, who).items.data[0];
  world.vendors.stripe.changePrice(who.subscriptionId, {
    itemId: item?.id ?? "",
    priceId: "price_evening_month",
    prorates: false,
  });
  world.clinic.prescribe(who, "price_evening_month", { fills: 1 });
  await world.drainAll();
  await live(world, 2);
  expect(await renewals(world)).toMatchObject([
    { state: "CANCELLED", closed_because: "the subscription is for another product" },
    { state: "CONTACTED", cycle: 1 },
  ]);
  expect(inRecord(world, who).status).toBe("active");
});
