import { describe, expect, test } from "vitest";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { isSameAddress } from "../../src/shared/orders/address.ts";
import { addTask, heard, liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { countFaultPoints, killAt } from "../support/kill.ts";
import { makeWorld, type World } from "../support/world.ts";
import { recover } from "../proof/stories.ts";
import { everyText } from "./support.ts";

const HOUSE = { line: ["7 Canary Wharf Lane"], city: "Canarytown", state: "OH", postalCode: "43004" };

/** An order that the pharmacy has and has not shipped. */
async function placed() {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_morning_month");
  const { chargeId } = world.clinic.subscribe(person, "price_morning_month");
  await world.drainAll();
  expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  return { world, person, chargeId: chargeId ?? "" };
}

const move = (world: World, person: Person, address = HOUSE) =>
  world.vendors.health.moveHouse(person.healthPatientId, address);
/** Where the pharmacy's live orders go. */
const destinations = (world: World) => liveAtPharmacy(world).map(({ address }) => address.street1);

async function resend(world: World): Promise<void> {
  const [asked] = await stopped(world);
  await setStatus(world.db, asked?.id ?? 0, "PENDING");
  await world.drainAll();
}

describe("an address that changes after the order was placed", { timeout: 120_000 }, () => {
  test("asks a person once; a resend cancels the order and places it anew, once, and the CRM hears no cancel", async () => {
    const { world, person } = await placed();
    Object.assign(world.vendors.health.outbox.faults, { doubled: 1, shuffled: true });
    world.vendors.pharmacy.outbox.faults.doubled = 1;
    move(world, person);
    await world.drainAll();
    const [asked, ...others] = await stopped(world);
    expect(others).toEqual([]);
    expect(asked).toMatchObject({
      step: "order.readdress",
      reason_code: "ADDRESS_CHANGED",
      data: { order_id: 1 },
    });
    expect(destinations(world)).not.toEqual([HOUSE.line[0]]);
    await resend(world);
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
    expect(await orders(world)).toMatchObject([
      { state: "CANCELLED", cancel_cause: "readdressed", attempt: 1 },
      { state: "PLACED", attempt: 2 },
    ]);
    expect(await stopped(world)).toEqual([]);
    expect(heard(world, person.crmPersonId)).not.toContain("order_cancelled");
    for (const step of ["order.readdress", "order.cancel", "order.replace", "owner.check_address"]) {
      for (const { id } of await tasksOf(world, step)) {
        await setStatus(world.db, id, "PENDING");
        await world.drainAll();
      }
    }
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
    expect(await orders(world)).toHaveLength(2);
  });

  test("is no question where the pharmacy sends to the same place, written another way", async () => {
    const { world, person } = await placed();
    const [order] = liveAtPharmacy(world);
    if (!order) throw new Error("no order");
    const { street1, city, state, postalCode } = order.address;
    move(world, person, {
      line: [`${street1.toUpperCase()}.`],
      city: ` ${city} `,
      state,
      postalCode: `${postalCode}-1234`,
    });
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
  });

  test("that a person lets go to the former one is asked about again only for yet another one", async () => {
    const { world, person } = await placed();
    move(world, person);
    await world.drainAll();
    const [asked] = await stopped(world);
    await setStatus(world.db, asked?.id ?? 0, "CANCELLED");
    await addTask(world.db, "owner.check_address", { customer_id: person.customerId }, "pharmacy");
    await world.drainAll();
    expect(await stopped(world)).toEqual([]);
    move(world, person, { ...HOUSE, line: ["8 Canary Wharf Lane"] });
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_CHANGED" }]);
  });

  test("and back again before anybody answered: the question settles itself, and the order is left alone", async () => {
    const { world, person } = await placed();
    const [order] = liveAtPharmacy(world);
    if (!order) throw new Error("no order");
    const { street1, city, state, postalCode } = order.address;
    move(world, person);
    await world.drainAll();
    move(world, person, { line: [street1], city, state, postalCode });
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "PLACED", attempt: 1 }]);
    expect(await tasksOf(world, "order.readdress")).toMatchObject([{ status: "DONE" }]);
    move(world, person);
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_CHANGED" }]);
    await resend(world);
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
    expect(await stopped(world)).toEqual([]);
  });

  test("and is incomplete now: a person, who has it completed and resends", async () => {
    const { world, person } = await placed();
    move(world, person, { line: [], city: HOUSE.city, state: "OH", postalCode: "43004" });
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_INCOMPLETE" }]);
    await resend(world);
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_INCOMPLETE" }]);
    move(world, person);
    await world.drainAll();
    await resend(world);
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
    expect(await stopped(world)).toEqual([]);
  });

  test("too late: a shipped parcel is no question, and a resend after it shipped says so", async () => {
    const { world, person } = await placed();
    move(world, person);
    await world.drainAll();
    for (let i = 0; i < 3; i++) world.clinic.workPharmacy();
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "SHIPPED" }]);
    await resend(world);
    expect(await stopped(world)).toMatchObject([{ step: "order.readdress", reason_code: "ALREADY_SHIPPED" }]);
    expect(await orders(world)).toHaveLength(1);
    move(world, person, { ...HOUSE, line: ["9 Canary Wharf Lane"] });
    await world.drainAll();
    expect(await stopped(world)).toHaveLength(1);
  });

  test("with a refund at the same time: nothing is placed anew", async () => {
    const { world, person, chargeId } = await placed();
    move(world, person);
    await world.drainAll();
    const [asked] = await stopped(world);
    await setStatus(world.db, asked?.id ?? 0, "PENDING");
    world.vendors.stripe.refund(chargeId);
    await world.drainAll();
    await recover(world);
    expect(liveAtPharmacy(world)).toEqual([]);
    expect((await orders(world)).every(({ state }) => state === "CANCELLED")).toBe(true);
  });

  test("a cancel by a person outweighs placing it anew", async () => {
    const { world, person } = await placed();
    await addTask(world.db, "order.cancel", { order_id: 1, cause: "readdressed" }, "pharmacy");
    world.vendors.pharmacy.faults.add({ operation: "cancel order", kind: "status", status: 503, times: 1 });
    await world.drain();
    await addTask(world.db, "order.cancel", { order_id: 1 }, "pharmacy");
    await recover(world);
    expect(await orders(world)).toMatchObject([{ state: "CANCELLED", cancel_cause: "person" }]);
    expect(heard(world, person.crmPersonId)).toContain("order_cancelled");
  });

  test("somebody who is nobody's customer, and a customer without orders, are no question", async () => {
    const { world } = await placed();
    const other = await world.clinic.signUp("Bea Example");
    const stranger = world.vendors.health.createPatient({ name: "Cleo", address: HOUSE });
    await world.drainAll();
    world.vendors.health.moveHouse(stranger, { ...HOUSE, line: ["1 Other Road"] });
    move(world, other);
    await world.drainAll();
    // Whose patient it is, is a question of its own, and the only one.
    expect((await stopped(world)).map(({ step }) => step)).toEqual(["customer.link"]);
  });
});

describe("an address that changes while the order is being placed", { timeout: 120_000 }, () => {
  async function ready() {
    const world = await makeWorld();
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_morning_month");
    await world.drainAll();
    return { world, person };
  }

  test("between the read and the send is found out", async () => {
    const { world, person } = await ready();
    let moved = false;
    world.deps.faultPoint = async (name) => {
      if (name !== "effect fenced" || moved) return;
      moved = true;
      move(world, person);
      await world.vendors.flush();
    };
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect(moved).toBe(true);
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_CHANGED" }]);
    await resend(world);
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
  });

  test("while the create has no answer is found out", async () => {
    const { world, person } = await ready();
    world.vendors.pharmacy.outbox.faults.silent = true;
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "lose_answer", times: 1 });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect(await orders(world)).toMatchObject([{ state: "READY" }]);
    move(world, person);
    await recover(world);
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_CHANGED" }]);
    world.vendors.pharmacy.outbox.faults.silent = false;
    await resend(world);
    await recover(world);
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
  });

  test("and the pharmacy tells of the order first is found out", async () => {
    const { world, person } = await ready();
    world.vendors.pharmacy.faults.add({ operation: "create order", kind: "lose_answer", times: 1 });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drain();
    await world.vendors.flush();
    await world.drain();
    move(world, person);
    await recover(world);
    expect(await stopped(world)).toMatchObject([{ reason_code: "ADDRESS_CHANGED" }]);
  });

  test("an order that stopped for want of an address goes on when there is one", async () => {
    const { world, person } = await ready();
    move(world, person, { line: [], city: "", state: "", postalCode: "" });
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ reason_code: "NO_SHIPPING_ADDRESS" }]);
    move(world, person);
    await world.drainAll();
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
    expect(await stopped(world)).toEqual([]);
  });
});

describe("bad days", { timeout: 300_000 }, () => {
  test("wherever the drain is killed, one parcel goes to the new address", async () => {
    const story = async (world: World, person: Person) => {
      move(world, person);
      await recover(world);
      const [asked] = await stopped(world);
      await setStatus(world.db, asked?.id ?? 0, "PENDING");
      await recover(world);
    };
    const calm = await placed();
    const count = countFaultPoints(calm.world);
    await story(calm.world, calm.person);
    const points = count();
    expect(points).toBeGreaterThan(40);
    const stride = process.env["CLOCKWORK_EVERY_POINT"] ? 1 : 11;
    for (let nth = 3; nth <= points; nth += stride) {
      const { world, person } = await placed();
      const killed = killAt(world, nth);
      await story(world, person);
      const where = `killed at ${nth} of ${points}, ${killed.met()}`;
      expect(destinations(world), where).toEqual([HOUSE.line[0]]);
      expect((await orders(world)).map(({ state }) => state), where).toEqual(["CANCELLED", "PLACED"]);
      expect(await stopped(world), where).toEqual([]);
      await world.close();
    }
  });

  test.each(
    [
      { vendor: "pharmacy", operation: "cancel order", kind: "lose_answer", times: 1 },
      { vendor: "pharmacy", operation: "get order", kind: "status", status: 503, times: 2 },
      { vendor: "pharmacy", operation: "create order", kind: "lose_answer", times: 1 },
      { vendor: "health", operation: "read patient", kind: "status", status: 503, times: 2 },
    ] as const,
  )("$vendor: $operation $kind", async ({ vendor, ...fault }) => {
    const { world, person } = await placed();
    move(world, person);
    await world.drainAll();
    world.vendors[vendor].faults.add(fault);
    await resend(world);
    await recover(world);
    expect(destinations(world)).toEqual([HOUSE.line[0]]);
    expect(await stopped(world)).toEqual([]);
  });

  test("no address is in a table or a log line", async () => {
    const { world, person } = await placed();
    move(world, person);
    await world.drainAll();
    await resend(world);
    for (const [place, text] of await everyText(world)) {
      expect(/canary/i.test(text), place).toBe(false);
    }
    expect(JSON.stringify(liveAtPharmacy(world))).toMatch(/canary wharf/i);
  });
});

describe("isSameAddress", () => {
  const home = {
    name: "Ada Example",
    street1: "12 Main St.",
    street2: "Apt 4",
    city: "Lexington",
    state: "KY",
    postalCode: "40507",
    country: "US",
  };
  test.each([
    [{ street1: "12 MAIN ST", street2: "apt. 4" }, true],
    [{ street1: "12 Main St, Apt 4", street2: null }, true],
    [{ postalCode: "40507-1234", country: "United States" }, true],
    [{ name: "Ada Other" }, true],
    [{ street2: "Apt 5" }, false],
    [{ street1: "1 2 Main St" }, false],
    [{ postalCode: "40508" }, false],
    [{ city: "Louisville" }, false],
    [{ country: "CA" }, false],
  ])("%j: %s", (changes, expected) => {
    expect(isSameAddress(home, { ...home, ...changes })).toBe(expected);
  });
});
