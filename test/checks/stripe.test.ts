import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineStep } from "../../src/shared/queue/step.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { liveAtPharmacy, orders, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { check, expectComplete, makeUpcomingCheap, pages, takenUp, unheard } from "./support.ts";

async function withCustomer(options?: Parameters<typeof makeWorld>[0]) {
  const world = await makeWorld(options);
  await world.clinic.openShop();
  const person = await world.clinic.signUp("Ada Example");
  world.clinic.prescribe(person, "price_pen_month");
  await world.drainAll();
  return { world, person };
}

const planOf = async (world: World, personId: string) =>
  (await world.deps.vendors.crm.readProfiles([personId])).get(personId)?.planState;

describe("what happened at Stripe", { timeout: 120_000 }, () => {
  test("all of it heard: seen, and nothing missing; the next night begins where this one ended, less an hour", async () => {
    const { world, person } = await withCustomer();
    world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    const first = await check(world, "stripe");
    expectComplete(first);
    expect(first.seen).toBeGreaterThan(1);
    expect(first.pages).toBeGreaterThan(0);
    const hours = (a: Date | null, b: Date | null) => ((a?.getTime() ?? 0) - (b?.getTime() ?? 0)) / 3_600_000;
    const { began_at } = await world.db.selectFrom("clockwork.settings").select("began_at")
      .executeTakeFirstOrThrow();
    expect(first.window_from).toEqual(began_at);
    await world.pass({ days: 1 });
    const second = await check(world, "stripe");
    expectComplete(second);
    // What happened in the hour that both windows share was read twice, and is nothing new.
    expect(second.seen).toBe(first.seen);
    expect(hours(first.window_until, second.window_from)).toBeCloseTo(1, 5);
    expect(await takenUp(world)).toEqual([]);
    expect(await stopped(world)).toEqual([]);
  });

  test("the first run looks back three days, and never to before Clockwork did the work", async () => {
    const { world, person } = await withCustomer();
    await unheard(world, "stripe", () => world.clinic.subscribe(person, "price_pen_month"));
    await world.pass({ days: 5 });
    await sql`update clockwork.settings set began_at = clockwork.now()`.execute(world.db);
    await world.pass({ hours: 2 });
    expectComplete(await check(world, "stripe"));
    const other = await withCustomer();
    await unheard(other.world, "stripe", () => other.world.clinic.subscribe(other.person, "price_pen_month"));
    await other.world.pass({ days: 5 });
    const run = await check(other.world, "stripe");
    expect(run).toMatchObject({ seen: 0, missing: 0 });
    expect((run.window_until?.getTime() ?? 0) - (run.window_from?.getTime() ?? 0)).toBe(3 * 86_400_000);
  });

  test("what was dropped is taken up, exactly that, once, and the story ends as it should", async () => {
    const { world, person } = await withCustomer();
    await unheard(world, "stripe", () => world.clinic.subscribe(person, "price_pen_month"));
    await world.drainAll();
    expect(await orders(world)).toEqual([]);
    const heard = new Set(
      (await world.db.selectFrom("clockwork.tasks").select("key").execute()).map(({ key }) => key),
    );
    const lost = [...world.vendors.stripe.state.events.values()]
      .filter(({ id, type }) => world.deps.steps.find(`stripe.${type}`) && !heard.has(id));
    expect(lost.length).toBeGreaterThan(1);
    const run = await check(world, "stripe");
    expect(run).toMatchObject({ state: "DONE", missing: lost.length, repaired: lost.length });
    expect((await takenUp(world)).map(({ step, key }) => `${step} ${key}`).sort())
      .toEqual(lost.map(({ type, id }) => `stripe.${type} ${id}`).sort());
    expect(liveAtPharmacy(world)).toHaveLength(1);
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
    // A second look the same night finds nothing more.
    expectComplete(await check(world, "stripe"));
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("a subscription that ended unheard stops: the CRM shows it the morning after", async () => {
    const { world, person } = await withCustomer();
    const { subscriptionId } = world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    await unheard(world, "stripe", () => world.vendors.stripe.cancel(subscriptionId));
    await world.drainAll();
    expect(await planOf(world, person.crmPersonId)).toBe("active");
    expect(await check(world, "stripe")).toMatchObject({ state: "DONE", missing: 1, repaired: 1 });
    expect(await planOf(world, person.crmPersonId)).toBe("cancelled");
  });

  test("a webhook that comes after its repair is a repeat: nothing twice", async () => {
    const { world, person } = await withCustomer();
    world.vendors.stripe.outbox.faults.silent = true;
    world.clinic.subscribe(person, "price_pen_month");
    const run = await check(world, "stripe");
    expect(run.missing).toBeGreaterThan(0);
    const before = await world.db.selectFrom("clockwork.tasks").select("id").execute();
    world.vendors.stripe.outbox.faults.silent = false;
    await world.vendors.flush();
    const after = await world.db.selectFrom("clockwork.tasks").select("id").execute();
    // What has no step was not asked for, and is parked when it comes.
    const parked = await world.db.selectFrom("clockwork.tasks").select("id").where("status", "=", "PARKED")
      .execute();
    expect(after.length - before.length).toBe(parked.length);
    await world.drainAll();
    expect(await orders(world)).toHaveLength(1);
    expect(liveAtPharmacy(world)).toHaveLength(1);
  });

  test("a repair is not hearing: ops sees it was found, and when the vendor was last heard", async () => {
    const { world, person } = await withCustomer();
    const heardAt = async () =>
      (await world.db.selectFrom("ops.vendors").select("last_heard_at").where("vendor", "=", "stripe")
        .executeTakeFirstOrThrow()).last_heard_at;
    const before = await heardAt();
    await unheard(world, "stripe", () => world.clinic.subscribe(person, "price_pen_month"));
    await check(world, "stripe");
    expect(await heardAt()).toEqual(before);
    const { rows } = await sql<{ system: string; what: string }>`
      select system, what from ops.timeline where invoice_id is not null order by at limit 1`.execute(
      world.db,
    );
    expect(rows).toEqual([{
      system: "stripe",
      what: "found missing by the nightly check: stripe.invoice.paid",
    }]);
  });

  test("over many pages, while more happens and pages move: each event once", async () => {
    const { world, person } = await withCustomer();
    makeUpcomingCheap(world);
    const { subscriptionId } = world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    await unheard(world, "stripe", () => {
      for (let i = 0; i < 250; i++) world.vendors.stripe.announceRenewal(subscriptionId);
    });
    const { stripe } = world.deps.vendors;
    let calls = 0;
    world.deps.vendors = {
      ...world.deps.vendors,
      stripe: {
        ...stripe,
        listEvents: (query) => {
          calls += 1;
          for (let i = 0; i < 30; i++) world.vendors.stripe.announceRenewal(subscriptionId);
          return stripe.listEvents(query);
        },
      },
    };
    const run = await check(world, "stripe");
    expect(run).toMatchObject({ state: "DONE", missing: 250, repaired: 250, pages: calls });
    expect(await pages(world, "stripe")).toHaveLength(calls);
    expect(calls).toBe(4);
    expect(run.seen).toBeGreaterThanOrEqual(250);
  });

  test("a new step is caught up on by itself, over 20 types in several questions", async () => {
    const { world, person } = await withCustomer();
    await unheard(world, "stripe", () => world.clinic.subscribe(person, "price_pen_month"));
    const names = Array.from(
      { length: 25 },
      (_, i) => `stripe.a.type_${String(i).padStart(2, "0")}` as const,
    );
    const fresh = defineStep({
      handles: [...names, "stripe.payment_intent.succeeded"],
      queue: "internal",
      data: z.strictObject({ object_id: z.string() }),
      run: () => Promise.resolve({ kind: "done" }),
    });
    world.deps.steps = makeStepTable([...STEPS, fresh]);
    const asked: string[][] = [];
    const { stripe } = world.deps.vendors;
    world.deps.vendors = {
      ...world.deps.vendors,
      stripe: {
        ...stripe,
        listEvents: (query) => {
          asked.push([...query.types]);
          return stripe.listEvents(query);
        },
      },
    };
    expect(await check(world, "stripe")).toMatchObject({ state: "DONE" });
    const types = world.deps.steps.names.filter((name) => name.startsWith("stripe."))
      .map((name) => name.slice("stripe.".length)).sort();
    expect(asked.flat()).toEqual(types);
    expect(asked.every((some) => some.length <= 20)).toBe(true);
    expect(asked.length).toBeGreaterThan(1);
    const steps = (await takenUp(world)).map(({ step }) => step);
    expect(steps).toContain("stripe.payment_intent.succeeded");
    expect(steps).toContain("stripe.invoice.paid");
  });

  test.each([[["thin"]], [["snapshot", "thin"]]] as const)(
    "events that come as %j are known by the snapshot's id",
    async (kinds) => {
      const { world, person } = await withCustomer({ stripeEventKinds: [...kinds] });
      world.clinic.subscribe(person, "price_pen_month");
      await world.drainAll();
      const run = await check(world, "stripe");
      expectComplete(run);
      expect(run.seen).toBeGreaterThan(1);
      expect(await orders(world)).toHaveLength(1);
    },
  );

  test("what Stripe lists no more is told to a person once; a resend makes the orders of the invoices paid in that time", async () => {
    const { world, person } = await withCustomer();
    const { invoiceId: shipped } = world.clinic.subscribe(person, "price_pen_month");
    await world.drainAll();
    await check(world, "stripe");
    await world.pass({ days: 2 });
    const missed = await world.clinic.signUp("Ben Example");
    world.clinic.prescribe(missed, "price_pen_month");
    let unseen = { invoiceId: "", subscriptionId: "", chargeId: null as string | null };
    const refunded = await world.clinic.signUp("Cleo Example");
    await unheard(world, "stripe", () => {
      unseen = world.clinic.subscribe(missed, "price_pen_month");
      const { chargeId } = world.clinic.subscribe(refunded, "price_pen_month");
      world.vendors.stripe.refund(chargeId ?? "");
    });
    await world.drainAll();
    await world.pass({ days: 40 });
    await world.drainAll();
    const run = await check(world, "stripe");
    expect(run).toMatchObject({ state: "DONE", missing: 0 });
    expect(((run.window_until?.getTime() ?? 0) - (run.window_from?.getTime() ?? 0)) / 86_400_000).toBeCloseTo(
      30,
      1,
    );
    const asked = () => tasksOf(world, "completeness.invoices");
    expect(await asked()).toMatchObject([{
      status: "MANUAL_INTERVENTION",
      reason_code: "EVENTS_OUT_OF_REACH",
    }]);
    // The same gap, by a run that has to begin again.
    await sql`update tracker.check_runs set state = 'UNFINISHED' where id = ${run.id}`.execute(world.db);
    await check(world, "stripe");
    expect(await asked()).toHaveLength(1);
    await setStatus(world.db, (await asked())[0]?.id ?? 0, "PENDING");
    await world.drainAll();
    const made = await tasksOf(world, "order.make");
    const parents = new Set((await asked()).map(({ id }) => id));
    const found = made.filter(({ caused_by }) => parents.has(caused_by ?? 0));
    expect(found.map(({ invoice_id, status }) => [invoice_id, status]))
      .toEqual(expect.arrayContaining([[unseen.invoiceId, "DONE"]]));
    expect(found).toHaveLength(2);
    const ships = (await orders(world)).filter(({ state }) => state !== "CANCELLED");
    expect(ships.map(({ invoice_id }) => invoice_id)).toEqual([shipped, unseen.invoiceId]);
    // Resent again: all of them were seen.
    await setStatus(world.db, (await asked())[0]?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await tasksOf(world, "order.make")).toHaveLength(made.length);
  });
});
