import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { unheard } from "../checks/support.ts";
import { addTask, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import {
  atStripe,
  dayIn,
  dispense,
  explained,
  inRecord,
  issues,
  live,
  night,
  type Refiller,
  refiller,
  renewals,
} from "./support.ts";

/** What is wrong with a refill, and the row that a person finds for it the next morning. */
interface Case {
  name: string;
  terms?: Parameters<typeof refiller>[1];
  bend(world: World, who: Refiller): void | Promise<void>;
  /** The reason of the row in front of a person; null: none is needed. */
  code: string | null;
  /** Part of its sentence. */
  says?: string;
  /** In `ops.prescription_issues`. */
  issue?: string;
}

const setKey = (patient: string | null) => async (world: World, { customerId }: Refiller) => {
  await sql`update registry.customers set health_patient_id = ${patient} where id = ${customerId}`.execute(
    world.db,
  );
};
const prescribed = (dispenseRequest: object) => (world: World, who: Refiller) => {
  const held = inRecord(world, who);
  held.dispenseRequest = { ...held.dispenseRequest, ...dispenseRequest };
};
const supply = (value: number, code: string) => prescribed({ expectedSupplyDuration: { value, code } });
const item = (changes: object) => (world: World, who: Refiller) => {
  Object.assign(atStripe(world, who).items.data[0] ?? {}, changes);
};
const subscription = (changes: object) => (world: World, who: Refiller) => {
  Object.assign(atStripe(world, who), changes);
};
/** The price of this one alone: others share the object. */
const price = (changes: object) => (world: World, who: Refiller) => {
  const [first] = atStripe(world, who).items.data;
  if (first) Object.assign(first, { price: { ...first.price, ...changes } });
};
const unknownDates = (says: string) => ({ code: "REFILL_DATES_UNKNOWN", says, issue: "unknown dates" });
const unclear = (says: string) => ({ code: "REFILL_UNCLEAR", says, issue: "unclear subscription" });
const unknownStatus = (says: string) => ({
  code: "SUBSCRIPTION_STATUS_UNKNOWN",
  says,
  issue: "unknown status",
});
const unknownPatient = { code: "HEALTH_PATIENT_UNKNOWN", says: "has no patient", issue: "unknown customer" };
const nothing = () => {};

const CASES: Case[] = [
  { name: "all is well", bend: nothing, code: null },
  {
    name: "no patient",
    bend: setKey(null),
    code: "MISSING_CUSTOMER_KEY",
    says: "has no health_patient_id",
    issue: "unknown customer",
  },
  { name: "a patient whom the record does not know", bend: setKey("pt-nobody"), ...unknownPatient },
  { name: "a patient that is no id", bend: setKey("Patient/12 ?"), ...unknownPatient },
  { name: "a patient that is a path", bend: setKey(".."), ...unknownPatient },
  {
    name: "no number of repeats",
    bend: prescribed({ numberOfRepeatsAllowed: undefined }),
    ...unknownDates("the number of fills"),
  },
  {
    name: "half a repeat",
    bend: prescribed({ numberOfRepeatsAllowed: 1.5 }),
    ...unknownDates("the number of fills"),
  },
  {
    name: "fewer than no repeats",
    bend: prescribed({ numberOfRepeatsAllowed: -2 }),
    ...unknownDates("number of fills"),
  },
  { name: "more repeats than anybody lives", bend: prescribed({ numberOfRepeatsAllowed: 1e15 }), code: null },
  ...["2027-09", "2027", "soon", "2027-02-30"].map((end): Case => ({
    name: `an expiry of ${end}`,
    bend: prescribed({ validityPeriod: { end } }),
    ...unknownDates("the last day it is valid"),
  })),
  {
    name: "no expiry",
    bend: prescribed({ validityPeriod: {} }),
    ...unknownDates("the last day it is valid"),
  },
  { name: "a supply in months", bend: supply(1, "mo"), ...unknownDates("the days' supply") },
  { name: "a supply in hours", bend: supply(720, "h"), ...unknownDates("the days' supply") },
  { name: "a supply of less than nothing", bend: supply(-30, "d"), ...unknownDates("the days' supply") },
  { name: "a supply for ever", bend: supply(9e15, "d"), ...unknownDates("the days' supply") },
  { name: "a supply that is no duration", bend: supply(30, ""), ...unknownDates("the days' supply") },
  {
    name: "a prescription in a status nobody has heard of",
    bend: (world, who) => void Object.assign(inRecord(world, who), { status: "dreaming" }),
    ...unknownDates("its status"),
  },
  {
    name: "a prescription that cannot be read",
    bend: (world, who) => void Object.assign(inRecord(world, who), { intent: 7 }),
    ...unknownDates("its drug"),
  },
  {
    name: "a dispense in a status nobody has heard of, which may have used the last fill",
    terms: { fills: 1 },
    bend: (world, who) => dispense(world, who, { status: "evaporated" }),
    ...unknownDates("the prescription of a recorded fill"),
  },
  {
    name: "a dispense of no prescription, which may have used the last fill",
    terms: { fills: 1 },
    bend: (world, who) => dispense(world, who, { authorizingPrescription: undefined }),
    ...unknownDates("the prescription of a recorded fill"),
  },
  {
    name: "a dispense that cannot be read",
    terms: { fills: 1 },
    bend: (world, who) => dispense(world, who, { whenHandedOver: 5 }),
    ...unknownDates("the prescription of a recorded fill"),
  },
  {
    name: "a dispense of no prescription, with fills to spare",
    bend: (world, who) => dispense(world, who, { authorizingPrescription: [] }),
    code: null,
  },
  {
    name: "no active prescription",
    bend: (world, who) => void Object.assign(inRecord(world, who), { status: "stopped" }),
    code: "REFILL_WITHOUT_PRESCRIPTION",
    says: "no active prescription",
    issue: "no prescription",
  },
  {
    name: "two active prescriptions",
    bend: (world, { healthPatientId }) =>
      void world.vendors.health.writePrescription({
        patientId: healthPatientId,
        rxnorm: "1000001",
        drug: "Example",
        repeats: 3,
        validUntil: dayIn(200),
        daysSupply: 30,
      }),
    code: null,
    issue: "two prescriptions",
  },
  {
    name: "a price in no product",
    bend: price({ id: "price_unheard_of" }),
    code: "UNKNOWN_PRODUCT",
    says: "price_unheard_of",
    issue: "unknown product",
  },
  {
    name: "no item",
    bend: (world, who) => void atStripe(world, who).items.data.splice(0),
    ...unclear("no product in it"),
  },
  { name: "a price without interval", bend: price({ recurring: null }), ...unclear("no interval") },
  {
    name: "an interval that is new",
    bend: price({ recurring: { interval: "moon", interval_count: 1 } }),
    ...unclear("no interval"),
  },
  {
    name: "an interval of ages",
    bend: price({ recurring: { interval: "month", interval_count: 1e9 } }),
    ...unclear("bills every 1000000000 months"),
  },
  { name: "a quantity of nothing", bend: item({ quantity: 0 }), ...unclear("its quantity is 0") },
  { name: "no quantity", bend: item({ quantity: undefined }), ...unclear("no quantity") },
  { name: "a quantity of billions", bend: item({ quantity: 5e9 }), ...unclear("its quantity is 5000000000") },
  { name: "an item without a price", bend: item({ price: null }), ...unknownStatus("unreadable") },
  {
    name: "a period without an end",
    bend: item({ current_period_end: undefined }),
    ...unknownStatus("unreadable"),
  },
  {
    name: "a period that ends after mankind",
    bend: item({ current_period_end: 1e15 }),
    ...unknownStatus("unreadable"),
  },
  {
    name: "a subscription in a status nobody has heard of",
    bend: subscription({ status: "hibernating" }),
    ...unknownStatus("hibernating"),
  },
];

/** As real health records do: one patient's chart breaks every answer that it is in. */
function breakChart(world: World, patientId: string): void {
  const { health } = world.deps.vendors;
  world.deps.vendors.health = {
    ...health,
    listPrescriptionsOf: (ids) =>
      ids.includes(patientId)
        ? Promise.reject(new VendorError("health", "unanswered", "search prescriptions", { status: 500 }))
        : health.listPrescriptionsOf(ids),
  };
}

const questions = async (world: World) =>
  (await stopped(world)).filter(({ step }) => step === "renewal.check");

test(
  "whatever is wrong with one refill, the others are looked at, and a person finds one row that says what",
  {
    timeout: 300_000,
  },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const people: Refiller[] = [];
    for (const { terms, bend } of CASES) {
      const who = await refiller(world, terms);
      await bend(world, who);
      people.push(who);
    }
    const broken = await refiller(world);
    breakChart(world, broken.healthPatientId);
    await world.drainAll();
    await night(world);

    expect((await tasksOf(world, "renewal.find")).map(({ status }) => status)).toEqual(["DONE"]);
    const [run] = await world.db.selectFrom("tracker.check_runs").selectAll().where("work", "=", "renewals")
      .execute();
    expect(run).toMatchObject({ work: "renewals", state: "DONE", pages: 1, seen: CASES.length + 1 });
    const rows = await questions(world);
    for (const [index, { name, code, says, issue }] of CASES.entries()) {
      const who = people[index];
      if (!who) throw new Error("nobody");
      const asked = rows.filter(({ data }) => JSON.stringify(data).includes(who.subscriptionId));
      expect(asked.map(({ reason_code }) => reason_code), name).toEqual(code === null ? [] : [code]);
      if (says !== undefined) expect(asked[0]?.reason, name).toContain(says);
      expect(await issues(world, who.customerId), name).toEqual(issue === undefined ? [] : [issue]);
      const [row] = await explained(world, who.customerId);
      expect(row?.why?.length, name).toBeGreaterThan(20);
      expect(JSON.stringify(row), name).not.toMatch(/invalid|NaN|undefined/i);
    }
    expect(rows.find(({ data }) => JSON.stringify(data).includes(broken.subscriptionId))?.reason_code)
      .toBe("HEALTH_PATIENT_UNANSWERED");
    // The next nights, and news of the subscription, ask nothing twice.
    for (const { subscriptionId } of people) {
      await addTask(world.db, "renewal.check", { subscription_id: subscriptionId }, "health");
    }
    await world.drainAll();
    await live(world, 2);
    expect((await questions(world)).map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    expect((await stopped(world)).every(({ reason_code }) => reason_code !== "INTERNAL_ERROR")).toBe(true);
  },
);

describe("two subscriptions of one customer for one product", { timeout: 120_000 }, () => {
  async function doubled() {
    const world = await makeWorld();
    await world.clinic.openShop();
    const who = await refiller(world, { fills: 5 });
    await world.drainAll();
    await night(world);
    const alone = (await explained(world, who.customerId))[0]?.covered_until;
    const second = world.vendors.stripe.subscribe({
      customerId: who.stripeCustomerId,
      priceIds: [{ price: "price_morning_month", quantity: 1 }],
    });
    Object.assign(second, { created: second.created - 30 * 86_400 });
    await world.drainAll();
    await live(world, 1);
    return { world, who, alone, second };
  }

  test("use its fills twice as fast, and a person is asked once", async () => {
    const { world, who, alone, second } = await doubled();
    const both = await explained(world, who.customerId);
    expect(both).toHaveLength(2);
    for (const one of both) expect(Number(one.covered_until)).toBeLessThan(Number(alone));
    expect(await questions(world)).toMatchObject([{ reason_code: "REFILL_TWICE" }]);
    expect(await issues(world, who.customerId)).toContain("two subscriptions");
    world.vendors.stripe.cancel(second.id);
    await world.drainAll();
    await live(world, 1);
    expect(await questions(world)).toEqual([]);
    expect(await issues(world, who.customerId)).not.toContain("two subscriptions");
  });

  test("the question ends with the second one in the next night, though its end was never heard of", async () => {
    const { world, who, second } = await doubled();
    const [both] = await explained(world, who.customerId);
    await unheard(world, "stripe", () => world.vendors.stripe.cancel(second.id));
    await live(world, 1);
    expect(await questions(world)).toEqual([]);
    await live(world, 1);
    expect(await issues(world, who.customerId)).not.toContain("two subscriptions");
    const left = (await explained(world, who.customerId)).find(({ finding }) => finding !== "INACTIVE");
    expect(Number(left?.covered_until)).toBeGreaterThan(Number(both?.covered_until));
  });
});

test(
  "a subscription with two products is two refills, each with dates of its own",
  { timeout: 120_000 },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const who = await refiller(world, { fills: 3 });
    const other = world.vendors.stripe.state.prices.get("price_evening_month");
    const [first] = atStripe(world, who).items.data;
    if (!first || !other?.recurring) throw new Error("no item");
    const price = { ...other, recurring: other.recurring };
    atStripe(world, who).items.data.push({ ...first, id: "si_second", price });
    await night(world);
    const found = (await explained(world, who.customerId)).map(({ product, finding }) => [product, finding]);
    expect(found).toContainEqual(["Morning tablets", "COVERED"]);
    expect(found).toContainEqual(["Evening tablets", "WRONG_PRODUCT"]);
    // The page is about many; the row says whose it is.
    const [asked, ...others] = await questions(world);
    expect([asked?.reason_code, others]).toEqual(["REFILL_WITHOUT_PRESCRIPTION", []]);
    expect((await world.task(asked?.id ?? 0)).customer_id).toBe(who.customerId);
  },
);

test("a fill that is dated in the future is used, and puts nothing off", { timeout: 120_000 }, async () => {
  const world = await makeWorld();
  await world.clinic.openShop();
  const who = await refiller(world, { fills: 1 });
  dispense(world, who, { whenHandedOver: "2062-01-01" });
  await night(world);
  const [renewal] = await renewals(world);
  expect(renewal).toMatchObject({ cause: "NO_FILLS_LEFT", customer_id: who.customerId });
  expect(renewal?.due_on.getTime()).toBeLessThan(world.now().getTime() + 32 * 86_400_000);
  expect(await questions(world)).toEqual([]);
});

test(
  "a customer who was deleted at Stripe is refilled no more, and the renewal ends",
  { timeout: 120_000 },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const who = await refiller(world, { validUntil: dayIn(20) });
    await night(world);
    expect(await renewals(world)).toMatchObject([{ state: "CONTACTED" }]);
    world.vendors.stripe.deleteCustomer(who.stripeCustomerId);
    await world.drainAll();
    await live(world, 1);
    expect(await renewals(world)).toMatchObject([{ state: "CANCELLED" }]);
    expect(await explained(world, who.customerId)).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  },
);

test(
  "a subscription that Stripe no longer has is one row, however many nights pass",
  { timeout: 120_000 },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const who = await refiller(world);
    await night(world);
    world.vendors.stripe.state.subscriptions.delete(who.subscriptionId);
    await live(world, 3);
    expect(await questions(world)).toMatchObject([{ reason_code: "VENDOR_REFUSED" }]);
  },
);

test(
  "a prescription that is written for a patient of nobody's waits for nothing, and counts once they are somebody's",
  {
    timeout: 120_000,
  },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const who = await refiller(world);
    const merged = world.vendors.health.createPatient({
      name: "Ada Example",
      address: { line: ["2 Example Street"], city: "Lexington", state: "KY", postalCode: "40507" },
    });
    Object.assign(inRecord(world, who), { status: "entered-in-error" });
    world.vendors.health.writePrescription({
      patientId: merged,
      rxnorm: "1000001",
      drug: "Example",
      repeats: 11,
      validUntil: dayIn(300),
      daysSupply: 30,
    });
    await world.drainAll();
    await night(world);
    expect(await questions(world)).toMatchObject([{ reason_code: "REFILL_WITHOUT_PRESCRIPTION" }]);
    await sql`update registry.customers set health_patient_id = ${merged}`.execute(world.db);
    await live(world, 1);
    expect(await questions(world)).toEqual([]);
    expect(await explained(world, who.customerId)).toMatchObject([{ finding: "COVERED" }]);
  },
);
