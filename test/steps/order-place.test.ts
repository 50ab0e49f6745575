import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { recheckAfter } from "../../src/shared/steps/order/place.ts";
import {
  answer,
  effects,
  expectAtRest,
  heard,
  liveAtPharmacy,
  orders,
  setStatus,
  stopped,
  tasksOf,
} from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let person: Person;
beforeEach(async () => {
  world = await makeWorld();
  await world.clinic.openShop();
  person = await world.clinic.signUp("Ada Example");
});

/** Pays for a month of tablets and drains. */
async function pay() {
  const paid = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  return paid;
}

describe("placing an order", () => {
  test("under the right prescription, to the address the health record has at that moment", async () => {
    const prescriptionId = world.clinic.prescribe(person, "price_morning_month");
    world.vendors.health.moveHouse(person.healthPatientId, {
      line: ["7 New Street"],
      city: "Paris",
      state: "KY",
      postalCode: "40361",
    });
    await pay();
    const [order] = await orders(world);
    expect(order).toMatchObject({ state: "PLACED", prescription_id: prescriptionId });
    const [placed] = liveAtPharmacy(world);
    expect(placed).toMatchObject({ id: order?.pharmacy_order_id, externalId: order?.reference });
    expect(placed?.address).toMatchObject({ street1: "7 New Street", postalCode: "40361" });
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed"]);
  });

  test("a resend after 45 days sends nothing again", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    await pay();
    await world.pass({ days: 45 });
    for (const step of ["stripe.invoice.paid", "order.make", "order.place", "order.tell_crm"]) {
      for (const task of await tasksOf(world, step)) await setStatus(world.db, task.id, "PENDING");
      await world.drainAll();
    }
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed"]);
    await expectAtRest(world);
  });

  test("when the answer is lost, the order is found and not made again", async () => {
    world.clinic.prescribe(person, "price_morning_month", { fills: 1 });
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "lose_answer", times: 1 });
    await pay();
    await world.pass({ minutes: 5 });
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(await orders(world)).toMatchObject([{
      state: "PLACED",
      pharmacy_order_id: liveAtPharmacy(world)[0]?.id,
    }]);
    expect(world.vendors.pharmacy.faults.calls.get("create order")).toBe(1);
  });

  test("a second order that has shipped already is asked about once", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "late_commit", times: 1 });
    await pay();
    await world.pass({ minutes: 5 });
    await world.drainAll();
    await world.vendors.pharmacy.faults.commitLate();
    const second = liveAtPharmacy(world).at(-1);
    for (let i = 0; i < 5; i++) world.vendors.pharmacy.advance(second?.id ?? "");
    await world.drainAll();
    const asked = await stopped(world);
    expect(asked).toMatchObject([{ step: "order.cancel_duplicate", reason_code: "DUPLICATE_SHIPPED" }]);
  });

  test("when the pharmacy's own message comes before its answer, the ledger learns it from there", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "lose_answer", times: 1 });
    await pay();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    expect((await effects(world))[0]).toMatchObject({
      state: "CONFIRMED",
      reference: liveAtPharmacy(world)[0]?.id,
      leased_until: null,
    });
    await world.pass({ minutes: 5 });
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("when the pharmacy does it only after we looked, the second order is cancelled", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "late_commit", times: 1 });
    await pay();
    await world.pass({ minutes: 5 });
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    await world.vendors.pharmacy.faults.commitLate();
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(await orders(world)).toMatchObject([{
      state: "PLACED",
      pharmacy_order_id: liveAtPharmacy(world)[0]?.id,
    }]);
    expect((await tasksOf(world, "order.cancel_duplicate")).at(-1)).toMatchObject({ status: "DONE" });
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed"]);
  });
});

describe("without a valid prescription", () => {
  test.each([
    ["none was ever written", () => {}],
    [
      "expired",
      () => void world.clinic.prescribe(person, "price_morning_month", { validUntil: "2020-01-01" }),
    ],
    [
      "none is active",
      () => world.vendors.health.cancelPrescription(world.clinic.prescribe(person, "price_morning_month")),
    ],
    ["none was ever written", () => void world.clinic.prescribe(person, "price_evening_month")],
  ])("the order waits, and says why (%s)", async (why, before) => {
    before();
    await pay();
    expect(await orders(world)).toMatchObject([{ state: "AWAITING_PRESCRIPTION" }]);
    const [task] = await tasksOf(world, "order.place");
    expect(task).toMatchObject({ status: "PENDING", reason_code: "NO_VALID_PRESCRIPTION" });
    expect(task?.reason).toContain(why);
    expect(liveAtPharmacy(world)).toEqual([]);
    expect((await effects(world)).filter(({ vendor }) => vendor === "pharmacy")).toEqual([]);
  });

  test("a prescription that is written releases it at once", async () => {
    await pay();
    await world.pass({ days: 3 });
    await world.drainAll();
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });

  test("with every webhook of the prescription lost, the recheck finds it within a day", async () => {
    await pay();
    await world.pass({ days: 3 });
    await world.drainAll();
    world.vendors.health.outbox.faults.dropped = 1;
    world.vendors.pharmacy.outbox.faults.dropped = 1;
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "AWAITING_PRESCRIPTION" }]);
    await world.pass({ hours: 25 });
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });

  test("one written between the check and the wait is not missed", async () => {
    // The check has read that there is none; before it is settled one is written and its event is worked off.
    let isWritten = false;
    world.deps.faultPoint = async (name) => {
      // Other points lie within a transaction, where this would take a second connection.
      if (isWritten || name !== "step ran") return;
      const queued = await world.db.selectFrom("clockwork.tasks").select("id")
        .where("step", "=", "order.place").where("status", "=", "QUEUED").executeTakeFirst();
      if (!queued) return;
      isWritten = true;
      world.clinic.prescribe(person, "price_morning_month");
      await sql`update tracker.orders set released_at = clockwork.now()`.execute(world.db);
    };
    world.vendors.health.outbox.faults.dropped = 1;
    world.vendors.pharmacy.outbox.faults.dropped = 1;
    await pay();
    expect(isWritten).toBe(true);
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });

  test("a prescription that the pharmacy does not have yet is waited for", async () => {
    world.vendors.health.writePrescription({
      patientId: person.healthPatientId,
      rxnorm: "1000001",
      drug: "a drug",
      repeats: 3,
      validUntil: "2099-01-01",
      daysSupply: 30,
    });
    await pay();
    expect((await tasksOf(world, "order.place"))[0]).toMatchObject({
      status: "PENDING",
      reason_code: "PRESCRIPTION_NOT_AT_PHARMACY",
    });
  });

  test.each([
    ["the last day it is valid", { validUntil: null }],
    ["the last day it is valid", { validUntil: "2099-05" }],
    ["the number of fills", { fills: null }],
  ])("unknown never counts as valid: a person (%s)", async (what, terms) => {
    world.clinic.prescribe(person, "price_morning_month", terms);
    await pay();
    expect(await stopped(world)).toMatchObject([{
      step: "order.place",
      reason_code: "PRESCRIPTION_UNCLEAR",
    }]);
    expect((await stopped(world))[0]?.reason).toContain(what);
    expect(await orders(world)).toMatchObject([{ state: "AWAITING_PRESCRIPTION" }]);
    // A clear one is the whole repair.
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });

  test("used-up fills are no fills", async () => {
    const prescriptionId = world.clinic.prescribe(person, "price_morning_month", { fills: 1 });
    world.vendors.health.recordDispense({
      patientId: person.healthPatientId,
      prescriptionId,
      pharmacyOrderId: "ord_before",
    });
    await pay();
    expect((await tasksOf(world, "order.place"))[0]?.reason).toContain("no fills left");
  });

  test("the rechecks are soon at first, then daily", () => {
    const [minute, hour] = [60_000, 3_600_000];
    expect([0, 11 * minute, 2 * hour, 30 * hour].map(recheckAfter)).toEqual([
      2 * minute,
      10 * minute,
      hour,
      24 * hour,
    ]);
  });
});

describe("what the customer wants", () => {
  test.each(["pause", "pauseCollection"] as const)(
    "nothing ships while the subscription is paused (%s); it ships on resume",
    async (pause) => {
      world.clinic.prescribe(person, "price_morning_month");
      const { subscriptionId } = world.clinic.subscribe(person, "price_morning_month");
      world.vendors.stripe[pause](subscriptionId);
      await world.drainAll();
      expect(await orders(world)).toMatchObject([{ state: "AWAITING_SUBSCRIPTION" }]);
      expect(liveAtPharmacy(world)).toEqual([]);
      world.vendors.stripe[pause === "pause" ? "resume" : "resumeCollection"](subscriptionId);
      await world.drainAll();
      expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    },
  );

  test("an ended subscription goes to a person, whose word is enough", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    const { subscriptionId } = world.clinic.subscribe(person, "price_morning_month");
    world.vendors.stripe.cancel(subscriptionId);
    await world.drainAll();
    const [stop] = await stopped(world);
    expect(stop).toMatchObject({ step: "order.decide", reason_code: "SUBSCRIPTION_NOT_ACTIVE" });
    expect(await orders(world)).toMatchObject([{ state: "HELD" }]);
    await answer(world.db, stop?.id ?? 0, "ship");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });

  test("a quarter's fills are a month apart, each checked on its day", async () => {
    world.clinic.prescribe(person, "price_morning_quarter");
    const { chargeId } = world.clinic.subscribe(person, "price_morning_quarter");
    await world.drainAll();
    expect((await orders(world)).map((order) => [order.fill_number, order.state])).toEqual([[1, "PLACED"], [
      2,
      "READY",
    ], [3, "READY"]]);
    await world.pass({ days: 32 });
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(2);
    world.vendors.stripe.refund(chargeId ?? "");
    await world.drainAll();
    await world.pass({ days: 32 });
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
    expect((await orders(world)).map((order) => order.state)).toEqual([
      "CANCELLED",
      "CANCELLED",
      "CANCELLED",
    ]);
  });
});

describe("what only a person can mend", () => {
  test.each(["health_patient_id", "pharmacy_patient_id"] as const)(
    "a missing %s: fill it in and resend",
    async (column) => {
      world.clinic.prescribe(person, "price_morning_month");
      const key = column === "health_patient_id" ? person.healthPatientId : person.pharmacyPatientId;
      // Afterwards, or the patient's own news would fill the cell again.
      await world.drainAll();
      await world.db.updateTable("registry.customers").set({ [column]: null }).where(
        "id",
        "=",
        person.customerId,
      ).execute();
      await pay();
      const [stop] = await stopped(world);
      expect(stop).toMatchObject({
        reason_code: "MISSING_CUSTOMER_KEY",
        reason: `Customer ${person.customerId} has no ${column}.`,
      });
      await world.db.updateTable("registry.customers").set({ [column]: key }).where(
        "id",
        "=",
        person.customerId,
      ).execute();
      await setStatus(world.db, stop?.id ?? 0, "PENDING");
      await world.drainAll();
      expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    },
  );

  test("no complete address", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.vendors.health.moveHouse(person.healthPatientId, {
      line: [],
      city: "Paris",
      state: "KY",
      postalCode: "40361",
    });
    await pay();
    expect(await stopped(world)).toMatchObject([{ reason_code: "NO_SHIPPING_ADDRESS" }]);
    expect(liveAtPharmacy(world)).toEqual([]);
  });

  test("a pharmacy that refuses: its words are nowhere", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "status", status: 422, times: 1 });
    await pay();
    expect(await stopped(world)).toMatchObject([{ reason_code: "VENDOR_REFUSED" }]);
    expect(await effects(world)).toMatchObject([{ state: "REFUSED" }]);
    await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });
});
