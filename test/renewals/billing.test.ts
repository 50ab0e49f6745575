import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { PAUSED_FOR_RENEWAL } from "../../src/shared/subscriptions/standing.ts";
import { addTask, heard, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { atStripe, dayIn, inRecord, live, night, type Refiller, refiller, renewals } from "./support.ts";

/** A customer whose renewal has just lapsed, so that we paused the billing. */
async function lapsed(): Promise<{ world: World; who: Refiller }> {
  const world = await makeWorld();
  await world.clinic.openShop();
  const who = await refiller(world, { validUntil: dayIn(1) });
  await live(world, 3);
  expect(await renewals(world)).toMatchObject([{ state: "LAPSED", billing_paused_at: expect.any(Date) }]);
  return { world, who };
}

const pauseOf = (world: World, who: Refiller) => atStripe(world, who).pause_collection;
const markOf = (world: World, who: Refiller) => atStripe(world, who).metadata[PAUSED_FOR_RENEWAL];

async function renew(world: World, who: Refiller): Promise<void> {
  world.clinic.prescribe(who, "price_morning_month");
  await world.drainAll();
  await night(world);
}

describe(
  "a customer who pauses during our pause stays paused after the renewal",
  { timeout: 240_000 },
  () => {
    test("by the other kind of pause", async () => {
      const { world, who } = await lapsed();
      world.vendors.stripe.pause(who.subscriptionId);
      await world.drainAll();
      await renew(world, who);
      world.vendors.stripe.resume(who.subscriptionId);
      await world.drainAll();
      await renew(world, who);
      expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
      expect([pauseOf(world, who), markOf(world, who)]).toEqual([null, undefined]);
    });

    test("by a pause of the same kind that behaves otherwise", async () => {
      const { world, who } = await lapsed();
      world.vendors.stripe.pauseCollection(who.subscriptionId, "keep_as_draft");
      await world.drainAll();
      await renew(world, who);
      expect(pauseOf(world, who)).toMatchObject({ behavior: "keep_as_draft" });
      expect(heard(world, who.crmPersonId)).not.toContain("renewal_renewed");
      // Only when the customer resumes does the renewal end, and nothing of ours is left.
      world.vendors.stripe.resumeCollection(who.subscriptionId);
      await world.drainAll();
      await night(world);
      expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
      expect([pauseOf(world, who), markOf(world, who)]).toEqual([null, undefined]);
    });

    test("and what was resumed by hand is paused again, for nothing can ship; then a pause by hand is the customer's", async () => {
      const { world, who } = await lapsed();
      world.vendors.stripe.resumeCollection(who.subscriptionId);
      await world.drainAll();
      expect(pauseOf(world, who)).toMatchObject({ behavior: "void" });
      await renew(world, who);
      expect([pauseOf(world, who), markOf(world, who)]).toEqual([null, undefined]);
      world.vendors.stripe.pauseCollection(who.subscriptionId);
      await live(world, 2);
      expect(pauseOf(world, who)).toMatchObject({ behavior: "void" });
    });
  },
);

test(
  "a customer who had paused before is neither paused nor resumed by us",
  { timeout: 120_000 },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const who = await refiller(world, { validUntil: dayIn(2) });
    await night(world);
    world.vendors.stripe.pauseCollection(who.subscriptionId);
    await live(world, 3);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
    expect(await tasksOf(world, "renewal.pause_billing")).toEqual([]);
    await renew(world, who);
    expect(pauseOf(world, who)).toMatchObject({ behavior: "void" });
    expect(markOf(world, who)).toBeUndefined();
  },
);

test("fills added to a lapsed prescription let it ship again: billing goes on, and it is asked for anew", {
  timeout: 120_000,
}, async () => {
  const { world, who } = await lapsed();
  world.vendors.health.updatePrescription(who.prescriptionId, { validUntil: dayIn(45, world.now()) });
  await world.drainAll();
  await night(world);
  expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }, { cycle: 2 }].slice(0, 1));
  expect([pauseOf(world, who), markOf(world, who)]).toEqual([null, undefined]);
  expect((await stopped(world)).filter(({ step }) => step.startsWith("renewal."))).toEqual([]);
});

test("a pause that is asked for again is made once, and keeps its time", { timeout: 60_000 }, async () => {
  const { world } = await lapsed();
  const [before] = await renewals(world);
  const id = await addTask(world.db, "renewal.pause_billing", { renewal_id: before?.id ?? 0 }, "stripe");
  await world.pass({ hours: 1 });
  await world.drainAll();
  expect(await world.task(id)).toMatchObject({ status: "DONE" });
  expect((await renewals(world))[0]?.billing_paused_at).toEqual(before?.billing_paused_at);
});

test("both of two subscriptions for the product are paused and resumed", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  await world.clinic.openShop();
  const who = await refiller(world, { validUntil: dayIn(1) });
  const { id: second } = world.vendors.stripe.subscribe({
    customerId: who.stripeCustomerId,
    priceIds: [{ price: "price_morning_month", quantity: 1 }],
  });
  await world.drainAll();
  await live(world, 3);
  const both = () => [who.subscriptionId, second].map((id) => pauseOf(world, { ...who, subscriptionId: id }));
  expect(both()).toMatchObject([{ behavior: "void" }, { behavior: "void" }]);
  await renew(world, who);
  expect(both()).toEqual([null, null]);
});

test("billing is not left paused where a person stopped the lapsed renewal, or dropped the resumption", {
  timeout: 180_000,
}, async () => {
  const { world, who } = await lapsed();
  await sql`update tracker.renewals set state = 'CANCELLED'`.execute(world.db);
  await live(world, 1);
  // Nothing can ship yet: it stays paused, and a person is asked anew.
  expect(pauseOf(world, who)).toMatchObject({ behavior: "void" });
  expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }, { state: "LAPSED" }]);
  await sql`update clockwork.vendors set paused_until = clockwork.now() + interval '1 hour' where vendor = 'stripe'`
    .execute(world.db);
  world.clinic.prescribe(who, "price_morning_month");
  await sql`update clockwork.vendors set paused_until = null where vendor = 'stripe'`.execute(world.db);
  world.vendors.stripe.faults.add({ operation: "update subscription", kind: "status", status: 403 });
  await world.drainAll();
  world.vendors.stripe.faults.clear();
  expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }, { state: "RENEWED" }]);
  expect(pauseOf(world, who)).toMatchObject({ behavior: "void" });
  for (const { id, step } of await stopped(world)) {
    if (step === "renewal.resume_billing") await setStatus(world.db, id, "CANCELLED");
  }
  await live(world, 1);
  expect([pauseOf(world, who), markOf(world, who)]).toEqual([null, undefined]);
});

test("the pharmacy's word that no fill is left opens the renewal, and that there is one again closes it", {
  timeout: 180_000,
}, async () => {
  const world = await makeWorld();
  await world.clinic.openShop();
  const who = await refiller(world, { fills: 12 });
  // The pharmacy holds it with a single fill; the health record knows of twelve.
  world.vendors.pharmacy.writePrescription({
    patientId: who.pharmacyPatientId,
    externalId: who.prescriptionId,
    treatmentId: "med_1001",
    fillsAllowed: 1,
    daysSupply: 30,
    expirationDate: dayIn(300),
    instructions: "as said",
  });
  await world.drainAll();
  expect(await renewals(world)).toEqual([]);
  await world.pass({ days: 32 });
  world.vendors.stripe.renew(who.subscriptionId);
  await world.drainAll();
  expect(inRecord(world, who).status).toBe("active");
  expect(await renewals(world)).toMatchObject([{ cause: "NO_FILLS_LEFT", closed_at: null }]);
  // The finder, which does not ask the pharmacy, changes nothing about it.
  await night(world);
  expect(await renewals(world)).toMatchObject([{ cause: "NO_FILLS_LEFT", closed_at: null }]);
  const [order] = world.vendors.pharmacy.state.orders.values();
  world.vendors.pharmacy.cancelByPharmacy(order?.id ?? "");
  const [held] = world.vendors.pharmacy.state.prescriptions.values();
  Object.assign(held ?? {}, { fillsAllowed: 12, fillsRemaining: 12 });
  await world.drainAll();
  expect(await renewals(world)).toMatchObject([{ state: "RENEWED" }]);
});
