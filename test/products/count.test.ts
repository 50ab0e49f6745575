import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { countNow, frequency, NEW, OLD, openShop, register, subscriber } from "./support.ts";

async function runs(world: World) {
  return await world.db.selectFrom("tracker.check_runs").select(["vendor", "state", "pages", "seen"])
    .where("work", "=", "product_count").orderBy("vendor", "desc").orderBy("id").execute();
}

async function counted(world: World): Promise<World> {
  await countNow(world, "product.count_stripe");
  await countNow(world, "product.count_pharmacy");
  await world.drainAll();
  return world;
}

/** 230 subscriptions over two prices: three pages. */
async function threePages(world: World): Promise<void> {
  const { stripe } = world.vendors;
  for (let i = 0; i < 230; i++) stripe.importCustomer({ priceId: i % 2 ? OLD : NEW });
  await world.vendors.flush();
}

describe("what is counted", () => {
  test("whatever can still be charged for is in use, in either pause it is paused, what has ended is neither", async () => {
    const world = await makeWorld();
    await openShop(world);
    const { stripe } = world.vendors;
    subscriber(world);
    subscriber(world, OLD, { trialDays: 14 });
    stripe.failPayment(subscriber(world).id);
    stripe.cancelAtPeriodEnd(subscriber(world).id);
    subscriber(world, OLD, { quantity: 3 });
    for (const status of ["unpaid", "hibernating"]) Object.assign(subscriber(world), { status });
    stripe.pause(subscriber(world).id);
    stripe.pauseCollection(subscriber(world).id);
    stripe.cancel(subscriber(world).id);
    for (const status of ["incomplete", "incomplete_expired"]) Object.assign(subscriber(world), { status });
    subscriber(world, [OLD, "price_evening_month"]);
    await counted(world);
    expect(await frequency(world)).toMatchObject({
      [OLD]: ["registered", 8, 2],
      price_evening_month: ["registered", 1, 0],
      price_pen_month: ["registered", 0, 0],
    });
  });

  test("active prescriptions at the pharmacy, per treatment", async () => {
    const world = await makeWorld();
    await openShop(world);
    const person = await world.clinic.signUp("Ada Example");
    for (let i = 0; i < 3; i++) world.clinic.prescribe(person, "price_morning_month");
    world.clinic.prescribe(person, "price_pen_month");
    for (const one of world.vendors.pharmacy.state.prescriptions.values()) {
      if (one.treatmentId === "med_1003") one.fillsRemaining = 0;
    }
    await counted(world);
    expect(await frequency(world)).toMatchObject({
      med_1001: ["registered", 3, 0],
      med_1002: ["registered", 0, 0],
      med_1003: ["registered", 0, 0],
    });
  });
});

describe("a count", () => {
  test("goes page by page, each counted once, and no person is in it", async () => {
    const world = await makeWorld();
    await openShop(world);
    await threePages(world);
    await counted(world);
    expect(await runs(world)).toEqual([
      { vendor: "stripe", state: "DONE", pages: 3, seen: 230 },
      { vendor: "pharmacy", state: "DONE", pages: 1, seen: 0 },
    ]);
    expect(await frequency(world)).toMatchObject({
      [OLD]: ["registered", 115, 0],
      [NEW]: ["registered", 115, 0],
    });
    const { rows } = await sql<{ column_name: string }>`
      select column_name from information_schema.columns
      where table_schema = 'tracker' and table_name = 'product_counts' order by ordinal_position
    `.execute(world.db);
    expect(rows.map((row) => row.column_name)).toEqual(["run_id", "system", "key", "in_use", "paused"]);
  });

  test("adds nothing when its pages are resent, in any order, at once", { timeout: 60_000 }, async () => {
    const world = await makeWorld();
    await openShop(world);
    await threePages(world);
    await countNow(world, "product.count_stripe");
    await world.drainAll();
    const pages = await tasksOf(world, "product.count_stripe");
    expect(pages).toHaveLength(3);
    for (const { id } of pages.slice(1).toReversed()) await setStatus(world.db, id, "PENDING");
    await world.drainAll();
    expect(await runs(world)).toEqual([{ vendor: "stripe", state: "DONE", pages: 3, seen: 230 }]);
    // The first page begins a run of its own.
    await setStatus(world.db, pages[0]?.id ?? 0, "PENDING");
    await world.drainAll();
    expect((await runs(world)).map(({ state, seen }) => [state, seen])).toEqual([["DONE", 230], [
      "DONE",
      230,
    ]]);
    expect(await frequency(world)).toMatchObject({
      [OLD]: ["registered", 115, 0],
      [NEW]: ["registered", 115, 0],
    });
  });

  test("that another one overtakes is no success, and adds to neither", async () => {
    const world = await makeWorld();
    await openShop(world);
    await threePages(world);
    await countNow(world, "product.count_stripe");
    world.deps.faultPoint = (name) => {
      if (name === "after commit") {
        world.vendors.stripe.faults.add({
          operation: "list subscriptions",
          kind: "status",
          status: 500,
          times: 1,
        });
        delete world.deps.faultPoint;
      }
      return Promise.resolve();
    };
    await world.drainAll();
    expect(await runs(world)).toMatchObject([{ state: "RUNNING", pages: 1 }]);
    expect(await frequency(world)).toMatchObject({ [OLD]: ["registered", null, null] });
    await countNow(world, "product.count_stripe");
    // Before the other's second page is tried again.
    await world.drainAll();
    await world.pass({ hours: 2 });
    await world.drainAll();
    expect(await runs(world)).toMatchObject([
      { state: "UNFINISHED", pages: 1 },
      { state: "DONE", pages: 3, seen: 230 },
    ]);
    expect(await frequency(world)).toMatchObject({ [OLD]: ["registered", 115, 0] });
  });

  test("counts each page once wherever its drain is killed", { timeout: 240_000 }, async () => {
    let nth = 0;
    const met = new Set<string>();
    for (let isThrough = false; !isThrough;) {
      nth += 1;
      const world = await makeWorld();
      await openShop(world);
      await threePages(world);
      await countNow(world, "product.count_stripe");
      let count = 0;
      isThrough = true;
      const dead = world.deps.boss;
      world.deps.faultPoint = (name) => {
        if (world.deps.boss !== dead || ++count < nth) return Promise.resolve();
        isThrough = false;
        met.add(name);
        return Promise.reject(new Error(`killed at ${name}`));
      };
      for (let drains = 0; drains < 6; drains++) {
        await world.drain().catch(() => undefined);
        if (!isThrough) world.deps.boss = makeBoss(world.db);
        await world.pass({ minutes: 10 });
      }
      expect((await runs(world)).at(-1), `killed at ${nth}`).toEqual({
        vendor: "stripe",
        state: "DONE",
        pages: 3,
        seen: 230,
      });
      expect(await frequency(world)).toMatchObject({
        [OLD]: ["registered", 115, 0],
        [NEW]: ["registered", 115, 0],
      });
      await world.close();
    }
    expect(met.size).toBeGreaterThan(4);
  });
});

describe("keys out of place", () => {
  test("a price that no product has goes to a person once, and ends by itself when it is registered", async () => {
    const world = await makeWorld();
    await openShop(world);
    world.vendors.stripe.addPrice({ id: "price_secret", interval: "month", intervalCount: 1, amount: 100 });
    world.vendors.stripe.importCustomer({ priceId: "price_secret" });
    await counted(world);
    await counted(world);
    expect(await stopped(world)).toMatchObject([{
      step: "product.check_key",
      reason_code: "KEY_UNREGISTERED",
      reason: "No product has the stripe_price price_secret, which was in use 1 times at the last count.",
      data: { system: "stripe_price", key: "price_secret" },
    }]);
    expect(await frequency(world)).toMatchObject({ price_secret: ["unregistered", 1, 0] });
    await register(world, "price_secret");
    await counted(world);
    expect(await stopped(world)).toEqual([]);
  });

  test("a resend looks again; what a person dropped is not asked again, what changed is", async () => {
    const world = await makeWorld();
    await openShop(world);
    world.vendors.stripe.addPrice({ id: "price_secret", interval: "month", intervalCount: 1, amount: 100 });
    world.vendors.stripe.importCustomer({ priceId: "price_secret" });
    await counted(world);
    const [question] = await stopped(world);
    await setStatus(world.db, question?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await stopped(world)).toMatchObject([{ id: question?.id, reason_code: "KEY_UNREGISTERED" }]);
    await setStatus(world.db, question?.id ?? 0, "CANCELLED");
    await counted(world);
    expect(await stopped(world)).toEqual([]);
    await register(world, "price_secret");
    await sql`update registry.product_keys set status = 'retired' where key = 'price_secret'`.execute(
      world.db,
    );
    await counted(world);
    expect(await stopped(world)).toMatchObject([{ reason_code: "KEY_RETIRED_IN_USE" }]);
    expect(await frequency(world)).toMatchObject({ price_secret: ["retired", 1, 0] });
  });

  test("what an order asks already is not asked a second time, until that is dropped", async () => {
    const world = await makeWorld();
    await world.clinic.openShop(["price_pen_month"]);
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    const [order] = await stopped(world);
    expect(order).toMatchObject({ step: "order.make", reason_code: "UNKNOWN_PRODUCT" });
    await counted(world);
    expect(await stopped(world)).toHaveLength(1);
    await setStatus(world.db, order?.id ?? 0, "CANCELLED");
    await counted(world);
    expect(await stopped(world)).toMatchObject([{ step: "product.check_key" }]);
  });

  test("a treatment that no product has, and one of a retired product", async () => {
    const world = await makeWorld();
    await openShop(world);
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_pen_month");
    world.clinic.prescribe(person, "price_evening_month");
    await sql`delete from registry.product_keys where key = 'med_1003'`.execute(world.db);
    await sql`update registry.products set status = 'retired' where name = 'Evening tablets'`.execute(
      world.db,
    );
    await counted(world);
    expect((await stopped(world)).map(({ reason_code, data }) => [reason_code, data])).toEqual([
      ["KEY_RETIRED_IN_USE", { system: "pharmacy_treatment", key: "med_1002" }],
      ["KEY_UNREGISTERED", { system: "pharmacy_treatment", key: "med_1003" }],
    ]);
    const { rows } = await sql`
      select key, what_to_do from ops.product_frequency where key like 'med_%' order by key
    `.execute(world.db);
    expect(rows).toEqual([
      {
        key: "med_1001",
        what_to_do: "Nobody uses it. If it is no longer offered, set its status to retired.",
      },
      {
        key: "med_1002",
        what_to_do:
          "Have new prescriptions written under the one that replaces it. Those on file are still filled.",
      },
      { key: "med_1003", what_to_do: "Add it to registry.product_keys, if the company ships it." },
    ]);
  });
});

describe("ops.product_frequency", () => {
  test(
    "compares with 7 and with 30 nights before, where it was counted then",
    { timeout: 60_000 },
    async () => {
      const world = await makeWorld();
      await openShop(world);
      const change = async () => {
        await counted(world);
        return await world.db.selectFrom("ops.product_frequency")
          .select(["in_use", "change_7_nights", "change_30_nights"]).where("key", "=", OLD)
          .executeTakeFirstOrThrow();
      };
      const join = (count: number) => {
        for (let i = 0; i < count; i++) world.vendors.stripe.importCustomer({ priceId: OLD });
      };
      join(2);
      expect(await change()).toEqual({ in_use: 2, change_7_nights: null, change_30_nights: null });
      await world.pass({ days: 23 });
      join(3);
      expect(await change()).toEqual({ in_use: 5, change_7_nights: null, change_30_nights: null });
      await world.pass({ days: 7 });
      join(1);
      expect(await change()).toEqual({ in_use: 6, change_7_nights: 1, change_30_nights: 4 });
      await world.pass({ days: 1 });
      expect(await change()).toEqual({ in_use: 6, change_7_nights: 1, change_30_nights: 4 });
    },
  );
});
