import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { addTask, heard, liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let person: Person;
beforeEach(async () => {
  world = await makeWorld();
  await world.clinic.openShop();
  person = await world.clinic.signUp("Ada Example");
});

test("ORDER_CALLED_OFF: after a refund that failed, the order.replace that it names ships the order", async () => {
  const { chargeId } = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  expect(await orders(world)).toMatchObject([{ state: "AWAITING_PRESCRIPTION" }]);
  // The order's own recheck meets the refund before its event does.
  world.vendors.stripe.outbox.faults.silent = true;
  const refund = world.vendors.stripe.refund(chargeId ?? "");
  await world.pass({ hours: 2 });
  await world.drainAll();
  const [place] = await tasksOf(world, "order.place");
  expect(place).toMatchObject({ status: "CANCELLED", reason_code: "ORDER_CALLED_OFF" });
  refund.status = "failed";
  world.clinic.prescribe(person, "price_morning_month");
  await world.drainAll();
  await addTask(world.db, "order.replace", { order_id: (await orders(world))[0]?.id ?? 0 });
  await world.drainAll();
  expect(liveAtPharmacy(world)).toHaveLength(1);
});

test("VENDOR_PAUSED: 'to go on at once, clear paused_until' makes the tasks that met the pause go on at once", async () => {
  world.clinic.prescribe(person, "price_morning_month");
  world.clinic.subscribe(person, "price_morning_month");
  await world.vendors.flush();
  const friday = new Date(world.now().getTime() + 4 * 86_400_000);
  await sql`update clockwork.vendors set paused_until = ${friday}, paused_reason = 'moving house' where vendor = 'health'`
    .execute(world.db);
  await world.drainAll();
  expect((await tasksOf(world, "order.place"))[0]).toMatchObject({ reason_code: "VENDOR_PAUSED" });
  await sql`update clockwork.vendors set paused_until = null where vendor = 'health'`.execute(world.db);
  await world.pass({ minutes: 15 });
  await world.drainAll();
  expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
});

describe("NOT_YET_VISIBLE", () => {
  test("is not said of an order that was cancelled since it was told to have shipped", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    const order = liveAtPharmacy(world)[0]?.id ?? "";
    world.vendors.pharmacy.cancelByPharmacy(order);
    const id = await addTask(
      world.db,
      "pharmacy.order.fulfillment",
      { order_id: order, state: "shipped" },
      "pharmacy",
    );
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("when it reached a person, the repair does not say that it is tried again", async () => {
    const id = await addTask(world.db, "pharmacy.order.created", { order_id: "ord_nowhere" }, "pharmacy");
    for (let hour = 0; hour < 30; hour++) {
      await world.drainAll();
      await world.pass({ minutes: 31 });
    }
    const { rows } = await sql<
      { repair: string }
    >`select repair from ops.manual_intervention where task_id = ${id}`
      .execute(world.db);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.repair).not.toMatch(/^Nothing to do: it is tried again\.$/);
  });
});

test("a fact that the CRM was never told because it got too old is not simply DONE", async () => {
  world.clinic.prescribe(person, "price_morning_month");
  world.vendors.crm.faults.add({ operation: "send event", kind: "status", status: 503 });
  world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  for (let hour = 0; hour < 80; hour++) {
    await world.pass({ hours: 1 });
    await world.drainAll();
  }
  expect(heard(world, person.crmPersonId)).toEqual([]);
  const [told] = await tasksOf(world, "order.tell_crm");
  expect(told?.status === "DONE" && told.reason === null).toBe(false);
}, 60_000);

describe("the list of what needs a person", () => {
  test("does not keep asking about an order that went on by itself", async () => {
    world.clinic.prescribe(person, "price_morning_month", { fills: null });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "PRESCRIPTION_UNCLEAR" }]);
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("asks once about an unclear prescription, however often it is edited", async () => {
    const id = world.clinic.prescribe(person, "price_morning_month", { fills: null });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    for (let i = 0; i < 3; i++) {
      world.vendors.health.updatePrescription(id, { daysSupply: 28 + i });
      await world.drainAll();
    }
    expect(await stopped(world)).toHaveLength(1);
  });

  test("a second lost parcel of one fill: a row that replaces nothing is not simply DONE", async () => {
    world.clinic.prescribe(person, "price_morning_month");
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    const shipAll = async () => {
      for (let i = 0; i < 3; i++) {
        world.clinic.workPharmacy();
        await world.drainAll();
      }
    };
    await shipAll();
    const [order] = await orders(world);
    await addTask(world.db, "order.replace", { order_id: order?.id ?? 0, lost: true });
    await world.drainAll();
    await shipAll();
    const again = await addTask(world.db, "order.replace", { order_id: order?.id ?? 0, lost: true });
    await world.drainAll();
    const isReplaced = (await orders(world)).length === 3;
    expect(isReplaced || (await world.task(again)).status !== "DONE").toBe(true);
  });
});

test("a failed order whose cancel the pharmacy refuses (it has ended there) can still be replaced", async () => {
  world.clinic.prescribe(person, "price_morning_month");
  world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  world.vendors.pharmacy.fail(liveAtPharmacy(world)[0]?.id ?? "");
  await world.drainAll();
  world.vendors.pharmacy.faults.add({ operation: "cancel order", kind: "status", status: 422 });
  for (let i = 0; i < 2; i++) {
    await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "PENDING");
    await world.drainAll();
  }
  expect(await orders(world)).toHaveLength(2);
});

test("a task that a person dropped (status CANCELLED) is not brought back by a prescription", async () => {
  world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  const [place] = await tasksOf(world, "order.place");
  await setStatus(world.db, place?.id ?? 0, "CANCELLED");
  world.clinic.prescribe(person, "price_morning_month");
  await world.drainAll();
  expect(liveAtPharmacy(world)).toEqual([]);
});

test("an order of a wrongly registered price can be set right: the key corrected, the charge resent", async () => {
  const product = async (name: string) =>
    await sql`update registry.product_keys set product_id = (select id from registry.products where name = ${name})
      where key = 'price_morning_month'`.execute(world.db);
  await product("Evening tablets");
  world.clinic.prescribe(person, "price_morning_month");
  world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  expect(await orders(world)).toMatchObject([{ state: "AWAITING_PRESCRIPTION" }]);
  await product("Morning tablets");
  await setStatus(world.db, (await tasksOf(world, "stripe.invoice.paid"))[0]?.id ?? 0, "PENDING");
  await world.pass({ days: 2 });
  await world.drainAll();
  expect(liveAtPharmacy(world)).toHaveLength(1);
});

test("one shipped parcel that should have been cancelled is asked about once", async () => {
  world.clinic.prescribe(person, "price_morning_month");
  const { chargeId } = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  for (let i = 0; i < 3; i++) world.vendors.pharmacy.advance(liveAtPharmacy(world)[0]?.id ?? "");
  // The refund is worked off before the pharmacy's word that it shipped.
  world.vendors.pharmacy.outbox.faults.silent = true;
  world.vendors.stripe.refund(chargeId ?? "");
  await world.drainAll();
  world.vendors.pharmacy.outbox.faults.silent = false;
  await world.drainAll();
  expect(await stopped(world)).toHaveLength(1);
});
