import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { addTask, liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { killWhen } from "../support/kill.ts";
import { sendBody, SENDERS } from "../http/support.ts";
import { recover } from "../proof/stories.ts";
import { makeWorld, type World } from "../support/world.ts";
import {
  A_WHILE,
  check,
  expectComplete,
  lastRun,
  makeUpcomingCheap,
  pages,
  takenUp,
  unheard,
} from "./support.ts";

async function withSubscription() {
  const world = await makeWorld();
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_pen_month");
  const { subscriptionId } = world.clinic.subscribe(person, "price_pen_month");
  await world.drainAll();
  makeUpcomingCheap(world);
  return { world, person, subscriptionId };
}

/** So many things happen at Stripe, and no message comes. */
const unheardOf = (world: World, subscriptionId: string, count: number) =>
  unheard(world, "stripe", () => {
    for (let i = 0; i < count; i++) world.vendors.stripe.announceRenewal(subscriptionId);
  });

const runs = (world: World) =>
  world.db.selectFrom("tracker.check_runs").selectAll().where("work", "=", "completeness").orderBy("id")
    .execute();

async function night(world: World): Promise<void> {
  await sql`select clockwork.start_nightly_work()`.execute(world.db);
  await world.drainAll();
}

describe("a run", { timeout: 120_000 }, () => {
  test("begins every night for each vendor, and only DONE is a success", async () => {
    const { world } = await withSubscription();
    await sql`update clockwork.nightly_work set at = '00:00'`.execute(world.db);
    await night(world);
    await night(world);
    expect((await runs(world)).map(({ vendor, state }) => [vendor, state]).sort())
      .toEqual([["health", "DONE"], ["pharmacy", "DONE"], ["stripe", "DONE"]]);
    await world.pass({ days: 1 });
    await night(world);
    expect(await runs(world)).toHaveLength(6);
  });

  test("wherever the drain is killed: each page counts once, and what was missing is taken up once", {
    timeout: 240_000,
  }, async () => {
    const points = [
      "jobs fetched",
      "step ran",
      "job settled",
      "outcome committed",
      "before commit",
      "after commit",
    ];
    for (const point of points) {
      const { world, subscriptionId } = await withSubscription();
      await unheardOf(world, subscriptionId, 110);
      await world.pass(A_WHILE);
      await addTask(world.db, "completeness.stripe", {}, "stripe");
      let comesBy = 0;
      // The third time is the second page's.
      const killed = killWhen(world, (name) => name === point && ++comesBy === 3);
      await recover(world);
      expect(killed.met()).toBe(point);
      expect(await lastRun(world, "stripe"), point)
        .toMatchObject({ state: "DONE", pages: 3, missing: 110, repaired: 110 });
      expect(await takenUp(world), point).toHaveLength(110);
      await world.close();
    }
  });

  test("a page that a person resends, while its run goes on and after, counts and takes up nothing again", async () => {
    const { world, subscriptionId } = await withSubscription();
    await unheardOf(world, subscriptionId, 120);
    const run = await check(world, "stripe");
    for (const { id } of await pages(world, "stripe")) {
      await setStatus(world.db, id, "PENDING");
      await world.drainAll();
      expect(await world.task(id)).toMatchObject({ status: "CANCELLED", reason_code: "CHECK_OVERTAKEN" });
    }
    expect(await lastRun(world, "stripe")).toEqual(run);
    expect(await takenUp(world)).toHaveLength(120);
    // The first task is another matter: it looks again.
    await setStatus(world.db, run.task_id, "PENDING");
    await world.drainAll();
    const again = await lastRun(world, "stripe");
    expect(again.id).not.toBe(run.id);
    expectComplete(again);
  });

  test("two who begin at once: one run comes to its end, and nothing is taken up twice", async () => {
    const { world, subscriptionId } = await withSubscription();
    await unheardOf(world, subscriptionId, 120);
    await world.pass(A_WHILE);
    await addTask(world.db, "completeness.stripe", {}, "stripe");
    await addTask(world.db, "completeness.stripe", {}, "stripe");
    await world.drainAll();
    expect((await runs(world)).map(({ state }) => state)).toEqual(["UNFINISHED", "DONE"]);
    expect(await takenUp(world)).toHaveLength(120);
  });

  test("that could not finish stays open with its page in front of a person; the next begins where the last success ended", async () => {
    const { world, subscriptionId } = await withSubscription();
    const good = await check(world, "stripe");
    await world.pass({ hours: 12 });
    await unheardOf(world, subscriptionId, 3);
    await world.pass({ hours: 12 });
    // Only this question fails, so that no pause is opened and each failure is the page's own.
    world.vendors.stripe.faults.add({ operation: "list events", kind: "status", status: 500 });
    await addTask(world.db, "completeness.stripe", {}, "stripe");
    for (let i = 0; i < 40; i++) {
      await sql`update clockwork.vendors set failures_in_a_row = 0, paused_until = null`.execute(world.db);
      await world.drainAll();
      await world.pass({ minutes: 31 });
    }
    const failed = await lastRun(world, "stripe");
    expect(failed).toMatchObject({ state: "RUNNING", pages: 0 });
    const [page] = await stopped(world);
    expect(page).toMatchObject({ step: "completeness.stripe", reason_code: "VENDOR_UNANSWERED" });
    expect(await takenUp(world)).toEqual([]);
    world.vendors.stripe.faults.clear();
    await world.pass({ hours: 12 });
    const next = await check(world, "stripe");
    expect(next).toMatchObject({ state: "DONE", missing: 3, repaired: 3 });
    expect(next.window_from?.getTime()).toBe((good.window_until?.getTime() ?? 0) - 3_600_000);
    expect(await world.db.selectFrom("tracker.check_runs").selectAll().where("id", "=", failed.id).execute())
      .toMatchObject([{ state: "UNFINISHED" }]);
    // The page that nobody needs any more is in front of nobody.
    expect(await stopped(world)).toEqual([]);
    expect(await world.task(page?.id ?? 0)).toMatchObject({
      status: "CANCELLED",
      reason_code: "CHECK_OVERTAKEN",
    });
  });

  test("of a night on which the vendor is away is tried again, and is complete once it is back", async () => {
    const { world, subscriptionId } = await withSubscription();
    await unheardOf(world, subscriptionId, 2);
    await world.pass(A_WHILE);
    world.vendors.stripe.faults.add({ kind: "status", status: 503 });
    await addTask(world.db, "completeness.stripe", {}, "stripe");
    for (let i = 0; i < 24; i++) {
      await world.drainAll();
      await world.pass({ minutes: 20 });
    }
    expect(await lastRun(world, "stripe")).toMatchObject({ state: "RUNNING", pages: 0 });
    world.vendors.stripe.faults.clear();
    await recover(world);
    expect(await lastRun(world, "stripe")).toMatchObject({ state: "DONE", missing: 2 });
    expect(await stopped(world)).toEqual([]);
  });

  test("of many pages rests between: one drain goes through twenty, a later one goes on", async () => {
    const { world } = await withSubscription();
    await world.pass(A_WHILE);
    let calls = 0;
    world.deps.vendors = {
      ...world.deps.vendors,
      stripe: {
        ...world.deps.vendors.stripe,
        listEvents: () => {
          calls += 1;
          return Promise.resolve({ entries: [], next: calls < 25 ? `page ${calls}` : null });
        },
      },
    };
    // The types fit into one question.
    const { names } = world.deps.steps;
    const ofStripe = names.filter((name) => name.startsWith("stripe.")).slice(0, 3);
    const others = names.filter((name) => !name.startsWith("stripe."));
    world.deps.steps = { ...world.deps.steps, names: [...others, ...ofStripe] };
    await addTask(world.db, "completeness.stripe", {}, "stripe");
    await world.drain();
    expect(await lastRun(world, "stripe")).toMatchObject({ state: "RUNNING", pages: 20 });
    await world.pass({ seconds: 11 });
    await world.drain();
    expect(await lastRun(world, "stripe")).toMatchObject({ state: "DONE", pages: 25 });
    expect(calls).toBe(25);
  });

  test("takes a resent page up where it stopped", async () => {
    const { world, subscriptionId } = await withSubscription();
    await unheardOf(world, subscriptionId, 150);
    await world.pass(A_WHILE);
    const { stripe } = world.deps.vendors;
    let isBroken = true;
    world.deps.vendors = {
      ...world.deps.vendors,
      stripe: {
        ...stripe,
        listEvents: (query) =>
          isBroken && query.cursor ? Promise.reject(new RangeError("a bug")) : stripe.listEvents(query),
      },
    };
    await addTask(world.db, "completeness.stripe", {}, "stripe");
    for (let i = 0; i < 40; i++) {
      await world.drainAll();
      await world.pass({ minutes: 31 });
    }
    expect(await lastRun(world, "stripe")).toMatchObject({ state: "RUNNING", pages: 1, missing: 100 });
    const [page] = await stopped(world);
    expect(page).toMatchObject({ reason_code: "INTERNAL_ERROR" });
    isBroken = false;
    await setStatus(world.db, page?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await lastRun(world, "stripe")).toMatchObject({
      state: "DONE",
      pages: 3,
      missing: 150,
      repaired: 150,
    });
  });
});

describe("an endpoint that is off", { timeout: 120_000 }, () => {
  test("is told to a person once, and the question ends by itself when messages come again", async () => {
    const { world, subscriptionId } = await withSubscription();
    // Beyond the hour that two nights share.
    await world.pass({ days: 1 });
    await check(world, "stripe");
    const dark = async () => {
      await world.pass({ days: 1 });
      await unheardOf(world, subscriptionId, 6);
      return await check(world, "stripe");
    };
    expect(await dark()).toMatchObject({ missing: 6 });
    expect(await stopped(world)).toMatchObject([{
      step: "completeness.endpoint",
      reason_code: "ENDPOINT_SILENT",
      reason: expect.stringContaining("6 of 6 messages of stripe"),
      data: { vendor: "stripe" },
    }]);
    expect(await dark()).toMatchObject({ missing: 6 });
    expect(await stopped(world)).toHaveLength(1);
    const [{ id } = { id: 0 }] = await stopped(world);
    // Resent too early it asks again.
    await setStatus(world.db, id, "PENDING");
    await world.drainAll();
    expect((await stopped(world)).map((task) => task.id)).toEqual([id]);
    // A night on which nothing happened proves nothing.
    await world.pass({ days: 1 });
    expectComplete(await check(world, "stripe"));
    expect((await stopped(world)).map((task) => task.id)).toEqual([id]);
    await world.pass({ days: 1 });
    for (let i = 0; i < 3; i++) world.vendors.stripe.announceRenewal(subscriptionId);
    await world.drainAll();
    expectComplete(await check(world, "stripe"));
    expect(await stopped(world)).toEqual([]);
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("a few that were dropped among many are no reason to ask", async () => {
    const { world, subscriptionId } = await withSubscription();
    for (let i = 0; i < 40; i++) world.vendors.stripe.announceRenewal(subscriptionId);
    await world.drainAll();
    await unheardOf(world, subscriptionId, 6);
    expect(await check(world, "stripe")).toMatchObject({ missing: 6 });
    expect(await stopped(world)).toEqual([]);
  });

  test("one kind of message that never comes, among others that do, is told by its name", async () => {
    const { world, person, subscriptionId } = await withSubscription();
    for (let i = 0; i < 20; i++) {
      world.vendors.stripe.pauseCollection(subscriptionId);
      world.vendors.stripe.resumeCollection(subscriptionId);
    }
    await world.drainAll();
    await unheardOf(world, subscriptionId, 7);
    await check(world, "stripe");
    expect(await stopped(world)).toMatchObject([{
      reason: expect.stringContaining("7 of 7 messages of stripe (invoice.upcoming)"),
      data: { vendor: "stripe", kind: "invoice.upcoming" },
    }]);
    expect(person.customerId).toBeGreaterThan(0);
  });

  test("how many are too many is the setting of people", async () => {
    const { world, subscriptionId } = await withSubscription();
    await sql`update clockwork.settings set endpoint_silent_at_least = 3, endpoint_silent_share = 1`.execute(
      world.db,
    );
    await check(world, "stripe");
    await world.pass({ days: 1 });
    await unheardOf(world, subscriptionId, 3);
    await check(world, "stripe");
    expect(await tasksOf(world, "completeness.endpoint")).toHaveLength(1);
  });

  test("thin events that do not name their snapshot are taken up a second time, and do nothing twice; the endpoint is not silent", async () => {
    const world = await makeWorld({ stripeEventKinds: ["thin"] });
    await world.clinic.openShop();
    const { outbox } = world.vendors.stripe;
    const push = outbox.push.bind(outbox);
    outbox.push = () => {};
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, "price_pen_month");
    const { subscriptionId } = world.clinic.subscribe(person, "price_pen_month");
    for (let i = 0; i < 10; i++) world.vendors.stripe.announceRenewal(subscriptionId);
    outbox.push = push;
    await world.drainAll();
    for (const event of world.vendors.stripe.state.events.values()) {
      const thin = {
        id: event.id.replace("evt_1", "evt_2"),
        object: "v2.core.event",
        type: `v1.${event.type}`,
        livemode: false,
        created: new Date(event.created * 1000).toISOString(),
        related_object: event.data.object["id"]
          ? { id: event.data.object["id"], type: event.data.object["object"], url: "/v1/x" }
          : null,
      };
      await sendBody(world, SENDERS.stripe, JSON.stringify(thin));
    }
    await world.drainAll();
    expect(await orders(world)).toHaveLength(1);
    const run = await check(world, "stripe");
    expect(run.missing).toBe(run.seen);
    expect(run.missing).toBeGreaterThan(10);
    expect(await orders(world)).toHaveLength(1);
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect((await stopped(world)).filter(({ step }) => step === "completeness.endpoint")).toEqual([]);
  });
});
