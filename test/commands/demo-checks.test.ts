import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MEDICAL_CANARIES, type Person } from "../../scripts/sandbox/clinic.ts";
import { toughPool } from "../../scripts/stack/client.ts";
import { runChecks } from "../../scripts/demo/checks.ts";
import { type Check, isOk } from "../../scripts/proof/check.ts";
import { type Beginner, type Evidence, findLeaks, gather } from "../../scripts/proof/evidence.ts";
import { conclude, type DemoReport } from "../../scripts/demo/report.ts";
import { makeWorld, type World } from "../support/world.ts";

// The demo's checks must be able to fail: a small world in which all is well, and then one thing is not.

let world: World;
let pool: pg.Pool;
let evidence: Evidence;
let people: Person[];
let beginners: Beginner[];
/** The line items of the delivered order and of the refunded one. */
let delivered: string;
let refundedInvoice: string;

beforeAll(async () => {
  world = await makeWorld({ shared: true });
  pool = toughPool(world.url, 2);
  const { clinic, vendors } = world;
  await clinic.openShop();
  people = [
    await clinic.signUp("Ada Example"),
    await clinic.signUp("Ben Example"),
    await clinic.signUp("Cleo Example"),
    await clinic.signUp("Dan Example"),
  ];
  const [ada, ben, cleo, dan] = people;
  if (!ada || !ben || !cleo || !dan) throw new Error("nobody signed up");
  clinic.prescribe(ada, "price_morning_month");
  clinic.prescribe(ben, "price_morning_month");
  delivered = clinic.subscribe(ada, "price_morning_month").invoiceId;
  const { invoiceId, chargeId } = clinic.subscribe(ben, "price_morning_month");
  refundedInvoice = invoiceId;
  clinic.subscribe(cleo, "price_evening_month"); // never prescribed
  await clinic.choosePrice(dan, "price_evening_month");
  clinic.prescribe(dan, "price_evening_month");
  beginners = [{ person: dan, price: "price_evening_month" }];
  await world.drainAll();
  vendors.stripe.refund(chargeId ?? "");
  await world.drainAll();
  for (let i = 0; i < 5; i++) {
    await world.pass({ hours: 1 });
    clinic.workPharmacy();
    await world.drainAll();
  }
  evidence = await look();
});
afterAll(async () => {
  await pool.end();
  await world.close();
});

async function look(): Promise<Evidence> {
  return await gather(
    {
      vendors: world.vendors,
      pool,
      clock: world,
      functionLog: { lines: world.lines.map((line) => JSON.stringify(line)) },
    },
    {
      mail: { snapshotOf: new Map() },
      people,
      beginners,
      holdSeen: "5 calls in a row without an answer",
    },
  );
}

function failing(changed: Partial<Evidence> = {}): Check[] {
  return runChecks({ ...evidence, ...changed }).filter((check) => !isOk(check));
}

function orderOf(invoiceId: string) {
  const line = world.vendors.stripe.state.invoices.get(invoiceId)?.lines.data[0]?.id ?? "";
  const order = [...world.vendors.pharmacy.state.orders.values()].find((one) =>
    one.externalId === `${line}:1:1`
  );
  if (!order) throw new Error("no such order");
  return order;
}

test("all is well", () => {
  expect(failing()).toEqual([]);
});

test("an order that the pharmacy does not have is lost", () => {
  const order = orderOf(delivered);
  const { orders } = world.vendors.pharmacy.state;
  const kept = [...orders];
  orders.delete(order.id);
  const found = failing();
  orders.clear();
  for (const [id, one] of kept) orders.set(id, one);
  expect(found[0]).toMatchObject({
    name: expect.stringContaining("exactly one live order"),
    lost: [expect.any(String)],
  });
  expect(failing()).toEqual([]);
});

test("a second live order is doubled", () => {
  const order = orderOf(delivered);
  const { orders } = world.vendors.pharmacy.state;
  orders.set("ord_second", { ...order, id: "ord_second" });
  const found = failing();
  orders.delete("ord_second");
  expect(found[0]?.doubled).toHaveLength(1);
});

test("a live order for a refunded charge may not be", () => {
  const order = orderOf(refundedInvoice);
  order.state = "PENDING";
  const found = failing();
  order.state = "CANCELED";
  expect(found[0]).toMatchObject({
    name: "no live order for a fill that may not ship",
    unexplained: [expect.any(String)],
  });
});

test("an order that nobody was charged for may not be", () => {
  const order = orderOf(delivered);
  const { orders } = world.vendors.pharmacy.state;
  orders.set("ord_gift", { ...order, id: "ord_gift", externalId: "il_none:1:1" });
  const found = failing();
  orders.delete("ord_gift");
  expect(found.map(({ name }) => name)).toContain("no live order for a fill that may not ship");
});

test("a first prescription that began nothing, or two, or was charged twice, is found", () => {
  const { subscriptions, invoices } = world.vendors.stripe.state;
  const begun = [...subscriptions.values()].find(({ metadata }) => metadata["clockwork_customer"]);
  if (!begun) throw new Error("nothing began");
  const name = "each first prescription began one subscription, and nobody has two for one product";
  const found = () => failing().find((one) => one.name === name);
  expect(found()).toBeUndefined();
  subscriptions.set("sub_second", { ...begun, id: "sub_second" });
  expect(found()).toMatchObject({ doubled: [expect.stringContaining("sub_second")] });
  subscriptions.delete("sub_second");
  const first = invoices.get(begun.latest_invoice ?? "");
  if (!first) throw new Error("no invoice");
  invoices.set("in_second", { ...first, id: "in_second" });
  expect(found()?.unexplained).toEqual([`${begun.id} was charged 2 times at its begin`]);
  invoices.delete("in_second");
  subscriptions.delete(begun.id);
  expect(found()?.lost).toHaveLength(1);
  subscriptions.set(begun.id, begun);
  expect(failing()).toEqual([]);
});

test("an order without a valid prescription may not be", () => {
  const order = orderOf(delivered);
  const held = world.vendors.pharmacy.state.prescriptions.get(order.fills[0]?.prescriptionId ?? "");
  const filed = world.vendors.health.state.prescriptions.get(held?.externalId ?? "");
  if (!filed) throw new Error("no prescription");
  filed.status = "cancelled";
  const found = failing();
  filed.status = "active";
  expect(found.map(({ name }) => name)).toContain(
    "every live order is for a valid prescription of that patient",
  );
});

test("an acknowledged webhook without a task is lost, and one with two is doubled", () => {
  const first = evidence.tasks.find(({ step }) => step === "stripe.invoice.paid");
  if (!first) throw new Error("no task");
  expect(failing({ tasks: evidence.tasks.filter((task) => task !== first) })[0]?.lost).toEqual([
    expect.stringContaining(first.key),
  ]);
  expect(failing({ tasks: [...evidence.tasks, first] })[0]?.doubled).toEqual([
    expect.stringContaining(first.key),
  ]);
});

test.each(
  [
    [{ status: "QUEUED" }, "lost"],
    [{ status: "PENDING", waits: false }, "lost"],
    [{ status: "PENDING", waits: true, reason_code: null, catalogued: false }, "unexplained"],
    [{ status: "MANUAL_INTERVENTION", reason_code: "MADE_UP", catalogued: false }, "unexplained"],
    [{ status: "MANUAL_INTERVENTION", reason_code: "INTERNAL_ERROR", catalogued: true }, "unexplained"],
  ] as const,
)("a task that ends as %o is %s", (change, kind) => {
  const tasks = evidence.tasks.map((task, index) => index === 0 ? { ...task, ...change } : task);
  const [found] = failing({ tasks });
  expect(found?.[kind]).toHaveLength(1);
});

test("a fact that the CRM never heard is lost, one heard twice is doubled", () => {
  const { events } = world.vendors.crm;
  const index = events.findIndex(({ name }) => name === "order_delivered");
  const [event] = events.splice(index, 1);
  if (!event) throw new Error("no such event");
  expect(failing()[0]?.lost).toEqual([expect.stringContaining("order_delivered")]);
  events.push(event, { ...event, id: "another" });
  expect(failing().map(({ doubled }) => doubled.length)).toEqual([1, 1]);
  events.pop();
  expect(failing()).toEqual([]);
});

test("a medical fact in a table or in a log is found", async () => {
  await pool.query("update registry.customers set email = email || $1 where id = $2", [
    MEDICAL_CANARIES[0],
    people[0]?.customerId,
  ]);
  const { leaks } = await findLeaks(pool, MEDICAL_CANARIES);
  expect([...leaks]).toEqual([["registry.customers", 1]]);
  expect(failing({ leaks })[0]?.unexplained).toHaveLength(1);
  expect(failing({ functionLines: [`x ${MEDICAL_CANARIES[1]}`] })[0]?.unexplained).toHaveLength(1);
});

test("a row that disagrees with the pharmacy is found", () => {
  const one = orderOf(delivered).id;
  const orders = evidence.orders.map((order) =>
    order.pharmacy_order_id === one ? { ...order, state: "SHIPPED" } : order
  );
  expect(failing({ orders })[0]?.unexplained).toEqual([
    expect.stringContaining("at the pharmacy it is DELIVERED"),
  ]);
  expect(failing({ orders: [] })[0]?.lost).toHaveLength(world.vendors.pharmacy.state.orders.size);
});

test("an outage that held no queue, and a vendor that stays unwell, are found", () => {
  expect(failing({ hold: { seen: null, unwell: [] } })[0]?.unexplained).toHaveLength(1);
  expect(failing({ hold: { seen: "x", unwell: ["crm is failing"] } })[0]?.unexplained).toEqual([
    "crm is failing",
  ]);
});

test("the exit code says it", () => {
  const [check] = failing({ orders: [] });
  if (!check) throw new Error("nothing fails");
  const report: DemoReport = {
    ok: false,
    seed: 1,
    customers: 3,
    days: 1,
    seconds: { start: 0, story: 0, checks: 0 },
    events: [],
    tasks: [],
    effects: [],
    waiting: [],
    stopped: [],
    faults: [],
    repairs: 0,
    ticks: 0,
    checks: [{ ...check, ok: false }],
    lost: check.lost.length,
    doubled: 0,
    unexplained: 0,
  };
  expect(conclude(report, false)).toMatchObject({
    exitCode: 1,
    text: expect.stringMatching(/FAIL[\s\S]*3 lost, 0 doubled, 0 unexplained$/),
  });
  expect(JSON.parse(conclude(report, true).text)).toMatchObject({ ok: false });
  expect(conclude({ ...report, ok: true }, true).exitCode).toBe(0);
});
