import { describe, expect, test } from "vitest";
import { PHARMACY_ORDER_STATES } from "../../src/shared/vendors/pharmacy.ts";
import { unheardOrders } from "../../src/shared/checks/pharmacy-orders.ts";
import { startRun } from "../../src/shared/checks/runs.ts";
import { addTask, liveAtPharmacy, orders, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { check, expectComplete, pages, takenUp, unheard } from "./support.ts";

async function withOrders(count = 1) {
  const world = await makeWorld();
  await world.clinic.openShop();
  for (let i = 0; i < count; i++) {
    const person = await world.clinic.signUp(`Ada Example ${i}`);
    world.clinic.prescribe(person, "price_pen_month");
    world.clinic.subscribe(person, "price_pen_month");
  }
  await world.drainAll();
  return world;
}

/** The pharmacy works on, and nobody hears of it. */
const work = (world: World, times: number) =>
  unheard(world, "pharmacy", () => {
    for (let i = 0; i < times; i++) world.clinic.workPharmacy();
  });

const states = async (world: World) => (await orders(world)).map(({ state }) => state);

describe("where the pharmacy's orders stand", { timeout: 180_000 }, () => {
  test("all of it heard: nothing missing, at any point of an order's way", async () => {
    const world = await withOrders();
    for (let turn = 0; turn < 6; turn++) {
      expectComplete(await check(world, "pharmacy"));
      world.clinic.workPharmacy();
      await world.drainAll();
    }
    expect(await states(world)).toEqual(["DELIVERED"]);
    expect(await takenUp(world)).toEqual([]);
  });

  test.each([
    [1, "PLACED", 0],
    [2, "FILLING", 1],
    [3, "SHIPPED", 1],
    // It has ended there and is on no list of open orders: ours is asked about by itself.
    [4, "DELIVERED", 1],
  ])("%i moves unheard: ours is %s the morning after", async (moves, state, missing) => {
    const world = await withOrders();
    await work(world, moves);
    await world.drainAll();
    expect(await states(world)).toEqual(["PLACED"]);
    expect(await check(world, "pharmacy")).toMatchObject({ state: "DONE", missing, repaired: missing });
    expect(await states(world)).toEqual([state]);
    expectComplete(await check(world, "pharmacy"));
    expect(await takenUp(world)).toHaveLength(missing);
    if (state === "SHIPPED") {
      expect(await world.db.selectFrom("tracker.shipments").selectAll().execute()).toHaveLength(1);
    }
  });

  test("what it ended unheard goes to a person, once", async () => {
    const world = await withOrders(2);
    const [one, two] = liveAtPharmacy(world);
    await unheard(world, "pharmacy", () => {
      world.vendors.pharmacy.cancelByPharmacy(one?.id ?? "");
      world.vendors.pharmacy.fail(two?.id ?? "");
    });
    expect(await check(world, "pharmacy")).toMatchObject({ state: "DONE", missing: 2, repaired: 2 });
    expect((await states(world)).sort()).toEqual(["CANCELLED", "FAILED"]);
    expect((await stopped(world)).map(({ reason_code }) => reason_code).sort())
      .toEqual(["PHARMACY_CANCELLED", "PHARMACY_FAILED"]);
    expectComplete(await check(world, "pharmacy"));
    expect(await stopped(world)).toHaveLength(2);
  });

  test("a second order under our reference, unheard, is cancelled", async () => {
    const world = await withOrders();
    const [first] = liveAtPharmacy(world);
    if (!first) throw new Error("no order");
    await unheard(world, "pharmacy", () => {
      world.vendors.pharmacy.state.orders.set("ord_second", {
        ...structuredClone(first),
        id: "ord_second",
        state: "PLACED",
        fulfillment: { state: "SENT", carrier: null, trackingNumber: null },
      });
    });
    expect(await check(world, "pharmacy")).toMatchObject({ state: "DONE", missing: 1 });
    expect(liveAtPharmacy(world).map(({ id }) => id)).toEqual([first.id]);
    expectComplete(await check(world, "pharmacy"));
  });

  test("an order of ours that no row tells of goes to a person; one of somebody else is none of ours", async () => {
    const world = await withOrders();
    const [first] = liveAtPharmacy(world);
    if (!first) throw new Error("no order");
    await unheard(world, "pharmacy", () => {
      const { orders } = world.vendors.pharmacy.state;
      orders.set("ord_lost", { ...structuredClone(first), id: "ord_lost", externalId: "il_gone:1:1" });
      orders.set("ord_other", { ...structuredClone(first), id: "ord_other", externalId: "their-own" });
      orders.set("ord_none", { ...structuredClone(first), id: "ord_none", externalId: null });
    });
    expect(await check(world, "pharmacy")).toMatchObject({ state: "DONE", missing: 1 });
    expect(await stopped(world)).toMatchObject([{
      reason_code: "UNKNOWN_ORDER",
      data: { order_id: "ord_lost" },
    }]);
    expectComplete(await check(world, "pharmacy"));
  });

  test("an order that lives at the pharmacy though ours is cancelled is cancelled again", async () => {
    const world = await withOrders();
    const [order] = await orders(world);
    await addTask(world.db, "order.cancel", { order_id: order?.id ?? 0 }, "pharmacy");
    await world.drainAll();
    expect(await states(world)).toEqual(["CANCELLED"]);
    const [theirs] = world.vendors.pharmacy.state.orders.values();
    if (!theirs) throw new Error("no order");
    await unheard(world, "pharmacy", () => {
      theirs.state = "PENDING";
    });
    expect(await check(world, "pharmacy")).toMatchObject({ state: "DONE", missing: 1 });
    await world.pass({ hours: 1 });
    await world.drainAll();
    expect(liveAtPharmacy(world)).toEqual([]);
    expectComplete(await check(world, "pharmacy"));
  });

  test("one of ours that the pharmacy does not have any more is looked for, then a person must", async () => {
    const world = await withOrders();
    const [theirs] = liveAtPharmacy(world);
    world.vendors.pharmacy.state.orders.delete(theirs?.id ?? "");
    expect(await check(world, "pharmacy")).toMatchObject({ state: "DONE", missing: 1 });
    for (let i = 0; i < 40; i++) {
      await world.pass({ minutes: 31 });
      await world.drainAll();
    }
    expect(await stopped(world)).toMatchObject([{ reason_code: "NOT_YET_VISIBLE" }]);
    expectComplete(await check(world, "pharmacy"));
  });

  test("an order that waits for an answer, unheard, is put to a person, once", async () => {
    const world = await withOrders();
    const [theirs] = liveAtPharmacy(world);
    if (!theirs) throw new Error("no order");
    await work(world, 1);
    // A word that nobody here knows yet.
    Object.assign(theirs.fulfillment ?? {}, { state: "ON_HOLD" });
    expect(await check(world, "pharmacy")).toMatchObject({ missing: 1 });
    expect(await stopped(world)).toMatchObject([{ reason_code: "PHARMACY_NEEDS_ATTENTION" }]);
    expectComplete(await check(world, "pharmacy"));
    expect(await stopped(world)).toHaveLength(1);
  });

  test("what was heard and waits its turn is not missing", async () => {
    const world = await withOrders();
    world.clinic.workPharmacy();
    world.clinic.workPharmacy();
    await world.vendors.flush();
    const waiting = await world.db.updateTable("clockwork.tasks")
      .set({ run_after: new Date(world.now().getTime() + 3_600_000) })
      .where("step", "like", "pharmacy.order.%").where("status", "=", "PENDING")
      .returning("id").execute();
    expect(waiting.length).toBeGreaterThan(0);
    expect(await states(world)).toEqual(["PLACED"]);
    expectComplete(await check(world, "pharmacy"));
  });

  test("over many pages that move meanwhile: every order is met or asked about, and none twice", async () => {
    const world = await withOrders(60);
    await work(world, 1);
    await world.drainAll();
    const open = liveAtPharmacy(world);
    expect(open).toHaveLength(60);
    const { pharmacy } = world.deps.vendors;
    let turns = 0;
    world.deps.vendors = {
      ...world.deps.vendors,
      pharmacy: {
        ...pharmacy,
        listOrders: async (cursor, only) => {
          // Some are delivered while the list is read, and so are on no page that comes.
          if (turns++ === 2) {
            await unheard(world, "pharmacy", () => {
              for (const { id } of open.slice(0, 30)) {
                for (let i = 0; i < 3; i++) world.vendors.pharmacy.advance(id);
              }
            });
          }
          return await pharmacy.listOrders(cursor, only);
        },
      },
    };
    const run = await check(world, "pharmacy");
    expect(run).toMatchObject({ state: "DONE", missing: 30, repaired: 30 });
    expect((await states(world)).filter((state) => state === "DELIVERED")).toHaveLength(30);
    expect(await pages(world, "pharmacy")).toHaveLength(run.pages);
    expect(run.pages).toBeGreaterThan(4);
    expect(await world.db.selectFrom("tracker.check_marks").selectAll().execute()).toEqual([]);
    expectComplete(await check(world, "pharmacy"));
    expect(new Set((await takenUp(world)).map(({ key }) => key)).size).toBe(30);
  });

  test("RULE: there is a step for what each state is told by", async () => {
    const world = await withOrders();
    const [order] = await orders(world);
    const theirs = { patientId: null, carrier: null, trackingNumber: null, address: null };
    const task = await addTask(world.db, "completeness.pharmacy", {}, "pharmacy");
    await world.db.transaction().execute(async (trx) => {
      const run = await startRun(trx, { work: "completeness", vendor: "pharmacy", taskId: task });
      for (const state of PHARMACY_ORDER_STATES) {
        const reference = "il_none:1:1";
        const told = await unheardOrders(trx, run, [{ id: `ord_${state}`, reference, state, ...theirs }]);
        expect(told.map(({ type }) => world.deps.steps.find(`pharmacy.${type}`)?.queue)).toEqual([
          "pharmacy",
        ]);
      }
      // Only ever forward.
      const late = { id: order?.pharmacy_order_id ?? "", reference: order?.reference ?? "", ...theirs };
      expect(await unheardOrders(trx, run, [{ ...late, state: "accepted" }])).toEqual([]);
    });
    expect(await tasksOf(world, "pharmacy.order.error")).toEqual([]);
  });
});
