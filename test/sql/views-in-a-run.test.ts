import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Database } from "../../src/shared/db/database.ts";
import { makeWorld, type World } from "../support/world.ts";

// What a person sees after real work: the views over rows that the steps themselves wrote.

async function rows(db: Database, query: string): Promise<Record<string, unknown>[]> {
  return (await sql.raw<Record<string, unknown>>(query).execute(db)).rows;
}

async function charge(world: World) {
  const person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_morning_month");
  const { invoiceId } = world.clinic.subscribe(person, "price_morning_month");
  return { person, invoiceId };
}

test("the timeline tells a whole charge in order, from the payment to the door", async () => {
  const world = await makeWorld();
  const { clinic, db } = world;
  await clinic.openShop();
  const { person, invoiceId } = await charge(world);
  const other = await clinic.signUp("Bob Example");
  clinic.prescribe(other, "price_morning_month");
  clinic.subscribe(other, "price_morning_month");
  await world.drainAll();
  for (let i = 0; i < 5; i++) {
    await world.pass({ hours: 1 });
    clinic.workPharmacy();
    await world.drainAll();
  }
  const order = await db
    .selectFrom("tracker.orders").selectAll().where("invoice_id", "=", invoiceId).executeTakeFirstOrThrow();
  const story = (await rows(db, `select * from ops.timeline where invoice_id = '${invoiceId}'`)).map((row) =>
    `${row["system"]}: ${row["what"]}`
  );
  const id = order.id;
  const milestones = [
    "stripe: came in: stripe.invoice.paid",
    "clockwork: follows: order.make",
    `order: order ${id} paid for, fill 1`,
    `pharmacy: create order ${order.pharmacy_order_id} done`,
    `order: order ${id} placed`,
    `crm: send event ${order.reference}:order_placed done`,
    `order: order ${id} shipped`,
    `crm: send event ${order.reference}:order_shipped done`,
    `order: order ${id} delivered`,
    `crm: send event ${order.reference}:order_delivered done`,
  ];
  expect(story.filter((line) => milestones.includes(line))).toEqual(milestones);
  expect(story.filter((line) => line.startsWith("pharmacy: came in")).length).toBeGreaterThanOrEqual(4);
  const hers = await rows(
    db,
    `select at, customer from ops.timeline where customer_id = ${person.customerId}`,
  );
  expect(hers.length).toBeGreaterThanOrEqual(story.length);
  expect(new Set(hers.map((row) => row["customer"]))).toEqual(new Set([person.email]));
  const times = hers.map((row) => Number(row["at"]));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(await rows(db, "select * from ops.manual_intervention")).toEqual([]);
  expect(await rows(db, "select * from ops.waiting")).toEqual([]);
  expect(await rows(db, "select * from ops.delayed_shipments")).toEqual([]);
});

test("an unknown product stops, says what to do, and the repair is told", async () => {
  const world = await makeWorld();
  const { clinic, db } = world;
  await clinic.openShop(["price_morning_month"]);
  const { person, invoiceId } = await charge(world);
  await world.drainAll();
  const stopped = await rows(db, "select * from ops.manual_intervention");
  expect(stopped).toMatchObject([{
    reason: "No product has the stripe_price price_morning_month.",
    repair: "Add the key to registry.product_keys, then set answer to try_again.",
    choices: "try_again: search for the product again",
    already_done_outside: "nothing",
    customer: person.email,
    invoice_id: invoiceId,
    step: "order.make",
  }]);
  await sql`
    insert into registry.product_keys (system, key, product_id, fills_per_charge)
    select 'stripe_price', 'price_morning_month', id, 1 from registry.products where name = 'Morning tablets'
  `.execute(db);
  await sql`update clockwork.tasks set answer = 'try_again' where id = ${stopped[0]?.["task_id"]}`.execute(
    db,
  );
  await world.drainAll();
  expect(await rows(db, "select * from ops.manual_intervention")).toEqual([]);
  const story = (await rows(db, `select what from ops.timeline where invoice_id = '${invoiceId}'`)).map((
    row,
  ) => String(row["what"]));
  expect(story).toContain(
    `table editor: task ${
      stopped[0]?.["task_id"]
    } (order.make) answered try_again, from MANUAL_INTERVENTION to PENDING`,
  );
  expect(story.some((line) => line.startsWith("create order "))).toBe(true);
});

test("an order without a prescription waits, and says why and until when", async () => {
  const world = await makeWorld();
  const { clinic, db } = world;
  await clinic.openShop();
  const person = await clinic.signUp("Ada Example");
  clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  const waiting = await rows(db, "select *, next_try > clockwork.now() as later from ops.waiting");
  expect(waiting).toMatchObject([{
    step: "order.place",
    status: "PENDING",
    customer: person.email,
    why: expect.stringMatching(
      /^The customer has no valid prescription for this product: .*\. The order waits\.$/,
    ),
    later: true,
  }]);
});

test("a pharmacy that is away shows as such, and its work as waiting", async () => {
  const world = await makeWorld();
  const { clinic, vendors, db } = world;
  await clinic.openShop();
  vendors.pharmacy.faults.add({ kind: "status", status: 503 });
  await charge(world);
  await world.drainAll();
  const [seen] = await rows(db, "select * from ops.vendors where vendor = 'pharmacy'");
  expect(["failing", "paused"]).toContain(seen?.["state"]);
  expect(seen?.["last_failure_at"]).toBeInstanceOf(Date);
  expect(Number(seen?.["failures_in_a_row"])).toBeGreaterThan(0);
  const [waiting] = await rows(db, "select * from ops.waiting where step = 'order.place'");
  expect(waiting).toMatchObject({ why: expect.stringMatching(/pharmacy/), vendor: "pharmacy" });
  expect(Number(waiting?.["next_try"])).toBeGreaterThan(world.now().getTime());
  const [well] = await rows(db, "select state from ops.vendors where vendor = 'stripe'");
  expect(well?.["state"]).toBe("well");
  // Back again.
  vendors.pharmacy.faults.clear();
  for (let i = 0; i < 4; i++) {
    await world.pass({ hours: 1 });
    await world.drainAll();
  }
  const [back] = await rows(db, "select * from ops.vendors where vendor = 'pharmacy'");
  expect(back).toMatchObject({ state: "well", failures_in_a_row: 0, due: 0, running_or_retrying: 0 });
  expect(back?.["last_success_at"]).toBeInstanceOf(Date);
});

test("a pharmacy that does not move is in delayed_shipments, in both ways", async () => {
  const world = await makeWorld();
  const { clinic, db } = world;
  await clinic.openShop();
  const { person } = await charge(world);
  await world.drainAll();
  await world.pass({ days: 3, minutes: 1 });
  expect(await rows(db, "select problem, customer, state from ops.delayed_shipments")).toEqual([
    { problem: "placed but not shipped", customer: person.email, state: "PLACED" },
  ]);
  for (let i = 0; i < 3; i++) {
    clinic.workPharmacy();
    await world.drainAll();
  }
  expect(await rows(db, "select state from tracker.orders")).toEqual([{ state: "SHIPPED" }]);
  expect(await rows(db, "select problem from ops.delayed_shipments")).toEqual([]);
  await world.pass({ days: 7, minutes: 1 });
  const [late] = await rows(db, "select problem, tracking from ops.delayed_shipments");
  expect(late).toMatchObject({
    problem: "shipped but not delivered",
    tracking: expect.stringMatching(/\S+ \S+/),
  });
});
