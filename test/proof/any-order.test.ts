import { sql } from "kysely";
import { expect, test } from "vitest";
import { seeded, shuffle } from "../../scripts/sandbox/random.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import { heard, liveAtPharmacy, orders, stopped } from "../support/act.ts";
import { makeWorld } from "../support/world.ts";

/** All orders of a list. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest])
  );
}

/** The events of one order's life, as the pharmacy sends them. */
const EVENTS = [
  { type: "order.created", state: null },
  { type: "order.placed", state: "accepted" },
  { type: "order.fulfillment", state: "filling" },
  { type: "order.fulfillment", state: "shipped" },
  { type: "order.fulfillment", state: "delivered" },
  { type: "order.completed", state: "delivered" },
] as const;

test(
  "all 720 orders of an order's six events, with repeats, end in the same rows",
  { timeout: 600_000 },
  async () => {
    const world = await makeWorld();
    await world.clinic.openShop();
    const orderings = permutations(EVENTS);
    expect(orderings).toHaveLength(720);
    // Many people: whatever happens to a customer has all of their subscriptions read.
    const people = await Promise.all(
      Array.from({ length: 90 }, (_, index) => world.clinic.signUp(`Ada Example ${index}`)),
    );
    for (const person of people) {
      world.clinic.prescribe(person, "price_pen_month", { fills: 1000 });
      for (let i = 0; i < orderings.length / people.length; i++) {
        world.vendors.stripe.subscribe({
          customerId: person.stripeCustomerId,
          priceIds: [{ price: "price_pen_month", quantity: 1 }],
        });
      }
    }
    await world.drainAll();
    await world.drainAll();
    const placed = await orders(world);
    expect(placed).toHaveLength(720);
    // Delivered in silence: what Clockwork hears of it is what the orderings below say.
    world.vendors.pharmacy.outbox.faults.dropped = 1;
    for (let i = 0; i < 5; i++) world.clinic.workPharmacy();
    const random = seeded(7);
    const inserts = orderings.flatMap((events, index) => {
      const order_id = placed[index]?.pharmacy_order_id ?? "";
      // Each ordering with one of its events said twice, somewhere.
      const told = [...events];
      const again = events[Math.floor(random() * events.length)];
      if (again) told.splice(Math.floor(random() * (told.length + 1)), 0, again);
      return told.map((event, nth) => ({
        step: `pharmacy.${event.type}` as const,
        key: `${index}:${nth}`,
        vendor: "pharmacy" as const,
        data: { order_id, state: event.state },
        // One second apart, so that they are worked in this order.
        runAfter: new Date(world.now().getTime() - 600_000 + nth * 1000),
      }));
    });
    for (let i = 0; i < inserts.length; i += 500) await insertTasks(world.db, inserts.slice(i, i + 500));
    world.deps.budget = { milliseconds: 200_000, tasks: 100_000 };
    await world.drainAll();
    const { rows } = await sql<{ state: string; count: number }>`
    select state, count(*) from tracker.orders group by state`.execute(world.db);
    expect(rows).toEqual([{ state: "DELIVERED", count: 720 }]);
    const parcels = await sql<
      { count: number }
    >`select count(*) from tracker.shipments where state = 'DELIVERED'`.execute(world.db);
    expect(parcels.rows).toEqual([{ count: 720 }]);
    const told = people.flatMap(({ crmPersonId }) => heard(world, crmPersonId));
    expect(told.filter((name) => name === "order_delivered")).toHaveLength(720);
    expect(told).toHaveLength(720 * 2);
    expect(await stopped(world)).toEqual([]);
  },
);

test("a whole life, its events held back and sent in random order twice over, at every stage", {
  timeout: 120_000,
}, async () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const world = await makeWorld({ seed, stripeEventKinds: ["snapshot", "thin"] });
    await world.clinic.openShop();
    const random = seeded(seed);
    for (const vendor of [world.vendors.stripe, world.vendors.health, world.vendors.pharmacy]) {
      vendor.outbox.faults.doubled = 0.5;
      vendor.outbox.faults.shuffled = true;
    }
    const people = [];
    for (const name of shuffle(["Ada", "Ben", "Cleo", "Dan"], random)) {
      const person = await world.clinic.signUp(name);
      people.push(person);
      // The charge may come before the prescription, the shipment before the order.
      const acts = shuffle([
        () => void world.clinic.prescribe(person, "price_evening_month"),
        () => void world.clinic.subscribe(person, "price_evening_month"),
      ], random);
      for (const act of acts) {
        act();
        if (random() < 0.5) await world.drainAll();
      }
    }
    world.vendors.pharmacy.outbox.faults.silent = true;
    await world.drainAll();
    for (let i = 0; i < 5; i++) world.clinic.workPharmacy();
    world.vendors.pharmacy.outbox.faults.silent = false;
    for (let i = 0; i < 5; i++) {
      await world.pass({ minutes: 5 });
      await world.drainAll();
      world.clinic.workPharmacy();
    }
    await world.drainAll();
    expect((await orders(world)).map((order) => order.state)).toEqual(Array(4).fill("DELIVERED"));
    expect(liveAtPharmacy(world)).toHaveLength(4);
    for (const person of people) {
      const told = heard(world, person.crmPersonId);
      expect(new Set(told).size).toBe(told.length);
      expect(told).toContain("order_delivered");
    }
    await world.close();
  }
});
