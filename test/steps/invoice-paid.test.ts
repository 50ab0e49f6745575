import { beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { fillDays } from "../../src/shared/orders/fills.ts";
import { addTask, liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let person: Person;
beforeEach(async () => {
  world = await makeWorld({ stripeEventKinds: ["snapshot", "thin"] });
  person = await world.clinic.signUp("Ada Example");
});

describe("invoice.paid", () => {
  test("one order per fill the line pays for; thin and snapshot events are one", async () => {
    await world.clinic.openShop();
    world.clinic.prescribe(person, "price_morning_quarter");
    const { invoiceId, subscriptionId } = world.clinic.subscribe(person, "price_morning_quarter");
    await world.drainAll();
    expect(await tasksOf(world, "stripe.invoice.paid")).toHaveLength(1);
    const made = await orders(world);
    expect(made).toHaveLength(3);
    expect(made[0]).toMatchObject({
      invoice_id: invoiceId,
      subscription_id: subscriptionId,
      customer_id: person.customerId,
      fill_number: 1,
      attempt: 1,
    });
    const [make, ...others] = await tasksOf(world, "order.make");
    expect(others).toEqual([]);
    expect(make).toMatchObject({
      status: "DONE",
      caused_by: (await tasksOf(world, "stripe.invoice.paid"))[0]?.id,
      invoice_id: invoiceId,
      customer_id: person.customerId,
    });
    const places = await tasksOf(world, "order.place");
    expect(places.map((task) => [task.status, task.caused_by, task.invoice_id])).toEqual([
      ["DONE", make?.id, invoiceId],
      ["PENDING", expect.any(Number), invoiceId],
      ["PENDING", expect.any(Number), invoiceId],
    ]);
  });

  test("a quantity of two is two fills each", async () => {
    await world.clinic.openShop();
    world.vendors.stripe.subscribe({
      customerId: person.stripeCustomerId,
      priceIds: [{ price: "price_pen_month", quantity: 2 }],
    });
    await world.drainAll();
    expect((await orders(world)).map((order) => order.fill_number)).toEqual([1, 2]);
  });

  test("prorations and one-off items ship nothing", async () => {
    await world.clinic.openShop();
    const { subscriptionId } = world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    const before = (await orders(world)).length;
    world.vendors.stripe.addInvoiceItem(subscriptionId, 500);
    await world.pass({ days: 31 });
    world.vendors.stripe.renew(subscriptionId);
    await world.drainAll();
    expect((await orders(world)).length).toBe(before + 1);
  });

  test("an unknown product: adding the key and resending is the whole repair", async () => {
    await world.clinic.openShop(["price_pen_month"]);
    world.clinic.prescribe(person, "price_pen_month");
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    const [stop] = await stopped(world);
    expect(stop).toMatchObject({
      step: "order.make",
      reason: "No product has the stripe_price price_pen_month.",
    });
    const { id } = await world.db.selectFrom("registry.products").select("id").where(
      "name",
      "=",
      "Weekly pen",
    ).executeTakeFirstOrThrow();
    await world.db.insertInto("registry.product_keys")
      .values({ system: "stripe_price", key: "price_pen_month", product_id: id, fills_per_charge: 1 })
      .execute();
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("an unknown customer: filling in the key and resending is the whole repair", async () => {
    await world.clinic.openShop();
    world.clinic.prescribe(person, "price_pen_month");
    // The news of the sign-up first: it would fill the key in again.
    await world.drainAll();
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: null }).execute();
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    const [stop] = await stopped(world);
    expect(stop?.reason).toBe(`No customer has stripe_customer_id ${person.stripeCustomerId}.`);
    await world.db.updateTable("registry.customers").set({ stripe_customer_id: person.stripeCustomerId })
      .execute();
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("what is not shipped has no orders", async () => {
    await world.clinic.openShop();
    await world.db.updateTable("registry.product_keys").set({ fills_per_charge: 0 }).where(
      "key",
      "=",
      "price_pen_month",
    ).execute();
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    expect(await orders(world)).toEqual([]);
    expect(await tasksOf(world, "order.make")).toMatchObject([{ status: "DONE" }]);
  });

  test("a refund that overtakes its charge: nothing ships", async () => {
    await world.clinic.openShop();
    world.clinic.prescribe(person, "price_pen_month");
    const { chargeId } = world.clinic.subscribe(person, "price_pen_month");
    world.vendors.stripe.refund(chargeId ?? "");
    world.vendors.stripe.outbox.faults.shuffled = true;
    await world.drainAll();
    expect(world.vendors.pharmacy.state.orders.size).toBe(0);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", cancel_cause: "refunded" }]);
    expect(await stopped(world)).toEqual([]);
  });

  test("an invoice that Stripe does not know goes to a person", async () => {
    await addTask(world.db, "stripe.invoice.paid", { object_id: "in_nowhere" }, "stripe");
    await world.drain();
    expect(await stopped(world)).toMatchObject([{
      reason_code: "INVOICE_NOT_FOUND",
      reason: "Stripe does not know the invoice in_nowhere.",
    }]);
  });

  test("an invoice that is still open is looked at again", async () => {
    await world.clinic.openShop();
    const { subscriptionId } = world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    const open = world.vendors.stripe.failPayment(subscriptionId);
    const id = await addTask(world.db, "order.make", { invoice_id: open.id }, "stripe");
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "QUEUED", reason_code: "NOT_YET_VISIBLE" });
    world.vendors.stripe.payInvoice(open.id);
    await world.pass({ minutes: 1 });
    await world.drainAll();
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
    expect(await orders(world)).toHaveLength(2);
  });
});

test("orders are made again for another reason: a person's row does it, and two at once make one set", async () => {
  await world.clinic.openShop();
  world.clinic.prescribe(person, "price_morning_quarter");
  await world.drainAll();
  world.vendors.stripe.outbox.faults.dropped = 1;
  const { invoiceId } = world.clinic.subscribe(person, "price_morning_quarter");
  await world.drainAll();
  expect(await orders(world)).toEqual([]);
  for (let i = 0; i < 2; i++) await addTask(world.db, "order.make", { invoice_id: invoiceId }, "stripe");
  await Promise.all([world.drain(), world.drain()]);
  await world.drainAll();
  const made = await orders(world);
  expect(made.map(({ invoice_id, fill_number }) => [invoice_id, fill_number])).toEqual([
    [invoiceId, 1],
    [invoiceId, 2],
    [invoiceId, 3],
  ]);
  await addTask(world.db, "order.make", { invoice_id: invoiceId }, "stripe");
  await world.drainAll();
  expect(await orders(world)).toEqual(made);
  expect((await tasksOf(world, "order.make")).map(({ status }) => status)).toEqual(["DONE", "DONE", "DONE"]);
  expect(await tasksOf(world, "order.place")).toHaveLength(3);
  expect(liveAtPharmacy(world)).toHaveLength(1);
});

test("the fills of a period are spread evenly over it", () => {
  const period = {
    periodStart: new Date("2026-01-01T00:00:00Z"),
    periodEnd: new Date("2026-04-01T00:00:00Z"),
  };
  expect(fillDays(period, 3).map((day) => day.toISOString().slice(0, 10))).toEqual([
    "2026-01-01",
    "2026-01-31",
    "2026-03-02",
  ]);
  expect(fillDays(period, 1)).toEqual([period.periodStart]);
  expect(fillDays(period, 0)).toEqual([]);
});
