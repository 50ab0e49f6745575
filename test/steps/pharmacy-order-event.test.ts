import { beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import {
  addTask,
  heard,
  liveAtPharmacy,
  liveOn,
  orders,
  setData,
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
  world.clinic.prescribe(person, "price_pen_month");
  world.clinic.subscribe(person, "price_pen_month");
  await world.drainAll();
});

const pharmacyOrderId = () => liveAtPharmacy(world)[0]?.id ?? "";
const shipments = async () => await world.db.selectFrom("tracker.shipments").selectAll().execute();

describe("pharmacy order events", () => {
  test("move the order and its parcel forward", async () => {
    await liveOn(world, 5);
    expect(await orders(world)).toMatchObject([{ state: "DELIVERED" }]);
    const [parcel] = await shipments();
    expect(parcel).toMatchObject({
      state: "DELIVERED",
      carrier: expect.any(String),
      tracking_number: expect.any(String),
    });
    expect(parcel?.delivered_at).not.toBeNull();
  });

  test("late and repeated ones move nothing back and tell the CRM nothing twice", async () => {
    await liveOn(world, 5);
    const before = await orders(world);
    for (
      const task of await world.db.selectFrom("clockwork.tasks").selectAll().where(
        "step",
        "like",
        "pharmacy.order.%",
      ).orderBy("id", "desc").execute()
    ) {
      await setStatus(world.db, task.id, "PENDING");
      await world.drainAll();
    }
    expect(await orders(world)).toEqual(before);
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed", "order_shipped", "order_delivered"]);
    expect(world.vendors.crm.receipts).toHaveLength(3);
  });

  test("one that comes before its state can be read is looked at again", async () => {
    const id = await addTask(world.db, "pharmacy.order.fulfillment", {
      order_id: pharmacyOrderId(),
      state: "shipped",
    }, "pharmacy");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "QUEUED", reason_code: "NOT_YET_VISIBLE" });
    world.vendors.pharmacy.place(pharmacyOrderId());
    world.vendors.pharmacy.fill(pharmacyOrderId());
    world.vendors.pharmacy.ship(pharmacyOrderId());
    await world.pass({ minutes: 1 });
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("of an order the pharmacy does not know (yet) is looked at again", async () => {
    const id = await addTask(world.db, "pharmacy.order.created", { order_id: "ord_nowhere" }, "pharmacy");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "QUEUED", reason_code: "NOT_YET_VISIBLE" });
  });

  test("of an order somebody made by hand is parked", async () => {
    const order = world.vendors.pharmacy.state.orders.get(pharmacyOrderId());
    if (order) order.externalId = "by hand";
    const id = await addTask(world.db, "pharmacy.order.created", { order_id: pharmacyOrderId() }, "pharmacy");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "PARKED", reason_code: "NOT_OURS" });
  });

  test("with a reference of ours that is in no row goes to a person", async () => {
    const order = world.vendors.pharmacy.state.orders.get(pharmacyOrderId());
    if (order) order.externalId = "il_lost:1:1";
    const id = await addTask(world.db, "pharmacy.order.created", { order_id: pharmacyOrderId() }, "pharmacy");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "UNKNOWN_ORDER",
    });
  });
});

describe("what the pharmacy does against our wish", () => {
  test.each(
    [
      ["cancels", "PHARMACY_CANCELLED", "CANCELLED"],
      ["fails", "PHARMACY_FAILED", "FAILED"],
    ] as const,
  )("it %s the order: a person, whose resend places one replacement", async (what, code, state) => {
    const first = pharmacyOrderId();
    world.vendors.pharmacy.place(first);
    if (what === "cancels") world.vendors.pharmacy.cancelByPharmacy(first);
    else world.vendors.pharmacy.fail(first);
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state }]);
    const [stop] = await stopped(world);
    expect(stop).toMatchObject({ step: "order.replace", reason_code: code });
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }, {
      state: "PLACED",
      attempt: 2,
      fill_number: 1,
    }]);
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(world.vendors.pharmacy.state.orders.get(first)?.state).toBe("CANCELED");
    // Resent again: the same replacement, no third.
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await orders(world)).toHaveLength(2);
    expect(await stopped(world)).toEqual([]);
  });

  test("a failed order that the pharmacy mends goes on, and is not replaced any more", async () => {
    const id = pharmacyOrderId();
    world.vendors.pharmacy.place(id);
    world.vendors.pharmacy.fail(id);
    await world.drainAll();
    const order = world.vendors.pharmacy.state.orders.get(id);
    if (order) order.state = "PLACED";
    world.vendors.pharmacy.fill(id);
    world.vendors.pharmacy.ship(id);
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED", ended_at: null }]);
    const [stop] = await stopped(world);
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "ORDER_STILL_LIVE" }]);
    expect(await orders(world)).toHaveLength(1);
  });

  test("a lost parcel: a person adds one row, and one replacement is placed", async () => {
    await liveOn(world, 3);
    const [order] = await orders(world);
    const { id } = await world.db.insertInto("clockwork.tasks")
      .values({ step: "order.replace", data: JSON.stringify({ order_id: order?.id }) }).returning("id")
      .executeTakeFirstOrThrow();
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "ORDER_STILL_LIVE",
    });
    await setData(world.db, id, { order_id: order?.id ?? 0, lost: true });
    await setStatus(world.db, id, "PENDING");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ attempt: 1 }, { attempt: 2, state: "PLACED" }]);
  });

  test("it ships what we had cancelled: a person", async () => {
    const [order] = await orders(world);
    const id = pharmacyOrderId();
    await addTask(world.db, "order.cancel", { order_id: order?.id ?? 0 }, "pharmacy");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED" }]);
    const theirs = world.vendors.pharmacy.state.orders.get(id);
    if (theirs) theirs.state = "PENDING";
    world.vendors.pharmacy.place(id);
    world.vendors.pharmacy.fill(id);
    world.vendors.pharmacy.ship(id);
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }]);
    expect(await stopped(world)).toMatchObject([{
      step: "order.cancel",
      reason_code: "SHIPPED_AFTER_CANCEL",
    }]);
  });

  test("an order number nobody has", async () => {
    await addTask(world.db, "order.replace", { order_id: 999 }, "pharmacy");
    await addTask(world.db, "order.cancel", { order_id: 999 }, "pharmacy");
    await world.drainAll();
    expect((await stopped(world)).map((stop) => stop.reason)).toEqual([
      "The table tracker.orders has no order 999.",
      "The table tracker.orders has no order 999.",
    ]);
  });
});

describe("what the CRM hears", () => {
  test("old news is not told", async () => {
    const [order] = await orders(world);
    await world.db.updateTable("registry.customers").set({ crm_person_id: null }).execute();
    world.vendors.pharmacy.place(pharmacyOrderId());
    world.vendors.pharmacy.fill(pharmacyOrderId());
    world.vendors.pharmacy.ship(pharmacyOrderId());
    await world.drainAll();
    const [stop] = await stopped(world);
    expect(stop).toMatchObject({ step: "order.tell_crm", reason_code: "MISSING_CUSTOMER_KEY" });
    await world.db.updateTable("registry.customers").set({ crm_person_id: person.crmPersonId }).where(
      "id",
      "=",
      order?.customer_id ?? 0,
    ).execute();
    await world.pass({ hours: 73 });
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await world.task(stop?.id ?? 0)).toMatchObject({
      status: "CANCELLED",
      reason_code: "FACT_IS_TOO_OLD",
    });
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed"]);
  });

  test("a fact the order has moved past is not told", async () => {
    const [order] = await orders(world);
    await liveOn(world, 3);
    await addTask(world.db, "order.tell_crm", { order_id: order?.id ?? 0, fact: "order_placed" }, "crm");
    await world.drainAll();
    expect(heard(world, person.crmPersonId).filter((name) => name === "order_placed")).toHaveLength(1);
  });

  test("no drug, no address, no name", async () => {
    await liveOn(world, 5);
    for (const { data } of world.vendors.crm.heard(person.crmPersonId)) {
      expect(Object.keys(data).every((key) => ["order_id", "carrier", "tracking_number"].includes(key))).toBe(
        true,
      );
    }
  });

  test("a lost answer is sent again under the same id, and counts once", async () => {
    world.vendors.crm.faults.add({ operation: "send event", kind: "lose_answer", times: 1 });
    world.clinic.workPharmacy();
    world.clinic.workPharmacy();
    world.clinic.workPharmacy();
    await world.drainAll();
    await world.pass({ minutes: 1 });
    await world.drainAll();
    expect(heard(world, person.crmPersonId)).toEqual(["order_placed", "order_shipped"]);
    expect(world.vendors.crm.receipts.map((receipt) => receipt.outcome)).toEqual([
      "stored",
      "stored",
      "duplicate",
    ]);
  });
});

test("prescription and subscription news of nobody's customer is done", async () => {
  world.vendors.health.writePrescription({
    patientId: world.vendors.health.createPatient({
      name: "No Customer",
      address: { line: ["1"], city: "a", state: "KY", postalCode: "1" },
    }),
    rxnorm: "1",
    drug: "x",
  });
  await world.drainAll();
  expect((await tasksOf(world, "health.medicationrequest.create")).at(-1)).toMatchObject({
    status: "DONE",
    customer_id: null,
  });
});

test("an unreadable message that is resent says so again", async () => {
  const data = { source: "pharmacy", sha256: "ab", bytes: 3 };
  const id = await addTask(world.db, "webhook.unreadable", data);
  await world.drainAll();
  expect(await world.task(id)).toMatchObject({
    status: "MANUAL_INTERVENTION",
    reason_code: "UNREADABLE_EVENT",
  });
});
