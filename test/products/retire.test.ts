import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import type { Subscription } from "../../scripts/sandbox/stripe/objects.ts";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import { addTask, effects, setStatus, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { recover } from "../proof/stories.ts";
import {
  asked,
  countNow,
  frequency,
  money,
  moves,
  NEW,
  OLD,
  openShop,
  OTHER_RHYTHM,
  register,
  retire,
  subscriber,
} from "./support.ts";

/** All of a subscription but its price: what a move must leave as it is. */
function unpriced(subscription: Subscription) {
  const { items, ...rest } = structuredClone(subscription);
  return { ...rest, items: items.data.map(({ price: _price, ...item }) => item) };
}

const priceOf = ({ items }: Subscription) => items.data.map(({ price }) => price.id);

/** Stripe's requests that change something. */
const movesSent = (world: World) => world.vendors.stripe.faults.calls.get("update subscription") ?? 0;

async function states(world: World): Promise<Record<string, string>> {
  const rows = await world.db.selectFrom("ops.price_moves").select(["subscription_id", "state", "finding"])
    .execute();
  return Object.fromEntries(
    rows.map((row) => [row.subscription_id, row.finding ? `${row.state}: ${row.finding}` : row.state]),
  );
}

/** Everybody who can be subscribed to a price, by what they are like. */
function everybody(world: World): Record<string, Subscription> {
  const { stripe } = world.vendors;
  const as = (status: Subscription["status"]) => Object.assign(subscriber(world), { status });
  return {
    active: subscriber(world),
    three: subscriber(world, OLD, { quantity: 3 }),
    trialing: subscriber(world, OLD, { trialDays: 20 }),
    past_due: (() => {
      const one = subscriber(world);
      stripe.failPayment(one.id);
      return one;
    })(),
    unpaid: as("unpaid"),
    ending: stripe.cancelAtPeriodEnd(subscriber(world).id),
    paused: stripe.pause(subscriber(world).id),
    void: stripe.pauseCollection(subscriber(world).id),
    draft: stripe.pauseCollection(subscriber(world).id, "keep_as_draft"),
    scheduled: stripe.attachSchedule(subscriber(world).id),
    twice: subscriber(world, [OLD, OLD]),
    both: subscriber(world, [OLD, NEW]),
    fee: subscriber(world, [OLD, "price_pen_month"]),
    incomplete: as("incomplete"),
    hibernating: Object.assign(subscriber(world), { status: "hibernating" }),
    pending: Object.assign(subscriber(world), { pending_update: { expires_at: 1_900_000_000 } }),
    canceled: stripe.cancel(subscriber(world).id),
    other: subscriber(world, "price_evening_month"),
  };
}

describe("a retired price", () => {
  test("its subscribers move, whatever they are like, and nothing else about them changes", {
    timeout: 60_000,
  }, async () => {
    const world = await makeWorld();
    await openShop(world);
    const people = everybody(world);
    await world.drainAll();
    const before = Object.fromEntries(Object.entries(people).map(([name, one]) => [name, unpriced(one)]));
    const paid = money(world);
    const sentBefore = movesSent(world);
    await retire(world);
    await recover(world);

    const moved = ["active", "three", "trialing", "past_due", "unpaid", "ending", "paused", "void", "draft"];
    for (const [name, one] of Object.entries(people)) {
      expect(unpriced(one), name).toEqual(before[name]);
      if (moved.includes(name)) expect(priceOf(one), name).toEqual([NEW]);
      else expect(priceOf(one).includes(NEW), name).toBe(name === "both");
    }
    expect(money(world)).toEqual(paid);
    expect(movesSent(world) - sentBefore).toBe(moved.length);

    const ended = await states(world);
    const of = (name: string) => ended[people[name]?.id ?? ""];
    for (const name of moved) expect([name, of(name)]).toEqual([name, "moved"]);
    expect({
      scheduled: of("scheduled"),
      twice: of("twice"),
      both: of("both"),
      fee: of("fee"),
      incomplete: of("incomplete"),
      hibernating: of("hibernating"),
      pending: of("pending"),
      canceled: of("canceled"),
      other: of("other"),
    }).toEqual({
      scheduled: "not moved: SCHEDULED",
      twice: "not moved: PRICE_TWICE",
      both: "not moved: PRICE_TWICE",
      fee: "not moved: OTHER_ITEMS",
      incomplete: "not moved: INCOMPLETE",
      hibernating: "not moved: UNKNOWN_STATUS",
      pending: "not moved: PENDING_UPDATE",
      canceled: undefined,
      other: undefined,
    });
    const made = (await effects(world)).filter(({ operation }) => operation === "move price");
    expect(made.map(({ key, state }) => [key, state]).sort()).toEqual(
      moved.map((name) => [`${people[name]?.items.data[0]?.id}:${NEW}`, "CONFIRMED"]).sort(),
    );
    expect(await asked(world)).toEqual([]);
  });

  test("is charged at the new price from the next period on, on the same day", async () => {
    const world = await makeWorld();
    await openShop(world);
    const one = subscriber(world);
    const due = one.items.data[0]?.current_period_end;
    await retire(world);
    await recover(world);
    const invoice = world.vendors.stripe.renew(one.id);
    expect(invoice.lines.data.map(({ amount, period }) => [amount, period.start])).toEqual([[5200, due]]);
    expect(await moves(world)).toMatchObject([{ due_before: new Date(Number(due) * 1000) }]);
    expect((await moves(world))[0]?.due_after).toEqual((await moves(world))[0]?.due_before);
  });

  test("is still served: what is paid for under it ships, and its refills are looked after", async () => {
    const world = await makeWorld();
    await openShop(world);
    const person = await world.clinic.signUp("Ada Example");
    world.clinic.prescribe(person, OLD);
    await world.drainAll();
    await sql`update registry.product_keys set status = 'retired' where key in (${OLD}, '1000001', 'med_1001')`
      .execute(world.db);
    world.clinic.subscribe(person, OLD);
    await world.drainAll();
    const orders = await world.db.selectFrom("tracker.orders").select("state").execute();
    expect(orders).toEqual([{ state: "PLACED" }]);
    const refills = await world.db.selectFrom("tracker.refills").select("finding").execute();
    expect(refills).toEqual([{ finding: "COVERED" }]);
    expect(await asked(world)).toEqual([]);
  });

  test("in use goes to a person, but not while its subscribers are being moved, and ends when they are", async () => {
    const world = await makeWorld();
    await openShop(world);
    subscriber(world);
    await sql`update registry.product_keys set status = 'retired', replaced_by = ${NEW} where key = ${OLD}`
      .execute(
        world.db,
      );
    const what = async () => {
      await countNow(world, "product.count_stripe");
      await world.drainAll();
      const { rows } = await sql<{ what_to_do: string }>`
        select what_to_do from ops.product_frequency where key = ${OLD}
      `.execute(world.db);
      return rows[0]?.what_to_do;
    };
    expect(await what()).toBe(`Move its subscribers: npm run product:retire -- ${OLD} ${NEW}`);
    expect(await asked(world)).toMatchObject([{ reason_code: "KEY_RETIRED_IN_USE" }]);
    await retire(world);
    await recover(world);
    expect(await what()).toBe("Nothing. Nobody uses it any more.");
    expect(await asked(world)).toEqual([]);

    const late = subscriber(world);
    await retire(world, { movesPerSecond: 0.001 });
    subscriber(world);
    await world.drain();
    await what();
    expect(priceOf(late)).toEqual([OLD]);
    expect(await asked(world)).toEqual([]);
  });
});

describe("what the registry refuses", () => {
  const refusals: [string, { from?: string; to?: string }, string, RegExp][] = [
    [
      "an unregistered price",
      { from: "price_none" },
      "select 1",
      /No product has the Stripe price price_none/,
    ],
    [
      "an unregistered new price",
      { to: "price_none" },
      "select 1",
      /No product has the Stripe price price_none/,
    ],
    ["itself", { to: OLD }, "select 1", /cannot replace itself/],
    [
      "another product",
      { to: "price_evening_month" },
      "select 1",
      /another medicine needs another prescription/,
    ],
    ["another amount", { to: "price_morning_quarter" }, "select 1", /pays for 1 fills, .* for 3/],
    [
      "a price that is retired",
      {},
      `update registry.product_keys set status = 'retired' where key = '${NEW}'`,
      /price_morning_month_2 is retired itself/,
    ],
    [
      "a product that is retired",
      {},
      "update registry.products set status = 'retired'",
      /Morning tablets, the product of .*, is retired itself/,
    ],
    [
      "a price that another one replaces already",
      {},
      `update registry.product_keys set status = 'retired', replaced_by = '${OTHER_RHYTHM}' where key = '${OLD}'`,
      /is replaced by price_morning_weeks already/,
    ],
  ];
  test.each(refusals)("%s", async (_name, prices, first, sentence) => {
    const world = await makeWorld();
    await openShop(world);
    await sql.raw(first).execute(world.db);
    const before = await sql`select * from registry.product_keys order by key`.execute(world.db);
    await expect(retire(world, prices)).rejects.toThrow(sentence);
    expect((await sql`select * from registry.product_keys order by key`.execute(world.db)).rows)
      .toEqual(before.rows);
    expect(await tasksOf(world, "product.retire")).toEqual([]);
  });
});

describe("nobody is moved", () => {
  test.each([
    ["in another rhythm", OTHER_RHYTHM, "OTHER_INTERVAL"],
    ["from a free price to one that costs", NEW, "FREE_TO_PAID"],
    ["to another currency", NEW, "OTHER_CURRENCY"],
  ])("%s: each is in the report", async (_name, to, finding) => {
    const world = await makeWorld();
    await openShop(world);
    const one = subscriber(world);
    if (finding === "FREE_TO_PAID") {
      Object.assign(world.vendors.stripe.state.prices.get(OLD) ?? {}, { unit_amount: 0 });
    }
    if (finding === "OTHER_CURRENCY") {
      Object.assign(world.vendors.stripe.state.prices.get(NEW) ?? {}, { currency: "eur" });
    }
    const sent = movesSent(world);
    await retire(world, { to });
    await recover(world);
    expect(priceOf(one)).toEqual([OLD]);
    expect(movesSent(world)).toBe(sent);
    expect(Object.values(await states(world))).toEqual([`not moved: ${finding}`]);
  });

  test("to a price that Stripe sells no more: a person activates it, and a resend goes on", async () => {
    const world = await makeWorld();
    await openShop(world);
    const one = subscriber(world);
    world.vendors.stripe.archivePrice(NEW);
    await retire(world);
    await recover(world);
    const [stop] = await asked(world);
    expect(stop).toMatchObject({ step: "product.retire", reason_code: "PRICE_NOT_SOLD" });
    Object.assign(world.vendors.stripe.state.prices.get(NEW) ?? {}, { active: true });
    // The command, run again, wakes the page by itself.
    expect(await retire(world)).toMatchObject({ resumed: true, pass: 1 });
    await recover(world);
    expect(priceOf(one)).toEqual([NEW]);
    expect(await asked(world)).toEqual([]);
  });

  test("who cancelled, paused, was moved or changed price between the list and the move", async () => {
    const world = await makeWorld();
    await openShop(world);
    const { stripe } = world.vendors;
    const [cancelled, paused, there, elsewhere, scheduled] = Array.from(
      { length: 5 },
      () => subscriber(world),
    );
    await retire(world, { movesPerSecond: 0.01 });
    await world.drain();
    stripe.cancel(String(cancelled?.id));
    stripe.pauseCollection(String(paused?.id));
    stripe.attachSchedule(String(scheduled?.id));
    const newPrice = stripe.state.prices.get(NEW);
    const evening = stripe.state.prices.get("price_evening_month");
    Object.assign(there?.items.data[0] ?? {}, { price: newPrice });
    Object.assign(elsewhere?.items.data[0] ?? {}, { price: evening });
    await recover(world);
    const ended = await states(world);
    const of = (one: Subscription | undefined) => ended[one?.id ?? ""];
    // The first one's turn was at once.
    expect([of(cancelled), of(paused), of(there), of(elsewhere)]).toEqual([
      "not moved: ENDED",
      "moved",
      "already there",
      "not moved: ELSEWHERE",
    ]);
    expect(paused?.pause_collection).not.toBeNull();
    expect(await asked(world)).toEqual([]);
  });

  test("once the registry no longer says so", async () => {
    const world = await makeWorld();
    await openShop(world);
    const [first, second] = [subscriber(world), subscriber(world)];
    await retire(world, { movesPerSecond: 0.01 });
    await world.drain();
    await sql`update registry.product_keys set status = 'active', replaced_by = null where key = ${OLD}`
      .execute(
        world.db,
      );
    await recover(world);
    expect([priceOf(first), priceOf(second)].filter(([price]) => price === NEW)).toHaveLength(1);
    expect(Object.values(await states(world)).sort()).toEqual(["moved", "not moved: CALLED_OFF"]);
  });
});

describe("run again", () => {
  test("only so many first, then the rest; a second pass moves nobody twice", async () => {
    const world = await makeWorld();
    await openShop(world);
    const people = Array.from({ length: 7 }, () => subscriber(world));
    await retire(world, { atMost: 3 });
    await recover(world);
    const isMoved = () => people.filter((one) => priceOf(one)[0] === NEW).length;
    expect([isMoved(), movesSent(world)]).toEqual([3, 3]);
    expect(await retire(world)).toMatchObject({ pass: 2, resumed: false });
    await recover(world);
    expect([isMoved(), movesSent(world)]).toEqual([7, 7]);
    await retire(world);
    await recover(world);
    expect(movesSent(world)).toBe(7);
  });

  test("while it is under way it goes on with what there is", async () => {
    const world = await makeWorld();
    await openShop(world);
    for (let i = 0; i < 4; i++) subscriber(world);
    await retire(world, { movesPerSecond: 0.01 });
    expect(await retire(world)).toMatchObject({ pass: 1, resumed: true });
    await world.drain();
    expect(await retire(world)).toMatchObject({ pass: 2, resumed: false });
    await recover(world);
    expect(movesSent(world)).toBe(4);
    expect(await tasksOf(world, "product.move_subscription")).toHaveLength(4);
  });

  test("who was moved back is moved once more, by a move of its own", async () => {
    const world = await makeWorld();
    await openShop(world);
    const one = subscriber(world);
    await retire(world);
    await recover(world);
    const oldPrice = world.vendors.stripe.state.prices.get(OLD);
    Object.assign(one.items.data[0] ?? {}, { price: oldPrice });
    // A resend is no order to do it again.
    const [task] = await tasksOf(world, "product.move_subscription");
    await setStatus(world.db, task?.id ?? 0, "PENDING");
    await recover(world);
    expect(priceOf(one)).toEqual([OLD]);
    await retire(world);
    await recover(world);
    expect(priceOf(one)).toEqual([NEW]);
    expect((await effects(world)).map(({ key }) => key)).toEqual([
      `${one.items.data[0]?.id}:${NEW}`,
      `${one.items.data[0]?.id}:${NEW}:2`,
    ]);
  });

  test("what Stripe refused is with a person, who repairs it; a resend is a new request", async () => {
    const world = await makeWorld();
    await openShop(world);
    const one = subscriber(world);
    await retire(world, { movesPerSecond: 0.01 });
    const newPrice = world.vendors.stripe.state.prices.get(NEW);
    // Archived after the page was read.
    world.deps.faultPoint = (name) => {
      if (name === "before remembered") Object.assign(newPrice ?? {}, { active: false });
      return Promise.resolve();
    };
    await recover(world);
    const [stop] = await asked(world);
    expect(stop).toMatchObject({ step: "product.move_subscription", reason_code: "VENDOR_REFUSED" });
    expect(Object.values(await states(world))).toEqual(["waiting for a person"]);
    delete world.deps.faultPoint;
    Object.assign(newPrice ?? {}, { active: true });
    await setStatus(world.db, stop?.id ?? 0, "PENDING");
    await recover(world);
    expect(priceOf(one)).toEqual([NEW]);
    expect(await asked(world)).toEqual([]);
  });
});

test("a billing date that moved all the same goes to a person, and is not moved a second time", async () => {
  const world = await makeWorld();
  await openShop(world);
  const one = subscriber(world);
  await retire(world);
  world.deps.faultPoint = (name) => {
    if (name === "effect sent") {
      Object.assign(one, { billing_cycle_anchor: one.billing_cycle_anchor + 86_400 });
    }
    return Promise.resolve();
  };
  await recover(world);
  const [stop] = await asked(world);
  expect(stop).toMatchObject({
    reason_code: "MOVE_CHANGED_BILLING",
    reason:
      `Subscription ${one.id} was moved to the price ${NEW}. Afterwards this was not as before: the anchor of its billing dates.`,
  });
  delete world.deps.faultPoint;
  await setStatus(world.db, stop?.id ?? 0, "PENDING");
  await recover(world);
  expect(await asked(world)).toHaveLength(1);
  expect(movesSent(world)).toBe(1);
  await setStatus(world.db, stop?.id ?? 0, "CANCELLED");
  expect(Object.values(await states(world))).toEqual(["left as it is"]);
});

test("a period that ends between the move and the look afterwards is no change", async () => {
  const world = await makeWorld();
  await openShop(world);
  const one = subscriber(world);
  await world.pass({ days: 30, hours: 23 });
  await retire(world);
  let died = false;
  world.deps.faultPoint = (name) => {
    if (name !== "effect sent" || died) return Promise.resolve();
    died = true;
    return Promise.reject(new Error("killed"));
  };
  await world.drain().catch(() => undefined);
  await world.drain().catch(() => undefined);
  expect(died).toBe(true);
  world.deps.boss = makeBoss(world.db);
  await world.pass({ days: 1 });
  world.vendors.stripe.renew(one.id);
  await recover(world);
  const [move] = await moves(world);
  expect(move?.state).toBe("MOVED");
  expect(Number(move?.due_after)).toBeGreaterThan(Number(move?.due_before));
});

describe("300 subscribers", () => {
  test(
    "under 429, 500, lost answers, lost requests and late commits: each moved once, nobody charged",
    {
      timeout: 240_000,
    },
    async () => {
      const world = await makeWorld({ seed: 7 });
      await openShop(world);
      const { stripe } = world.vendors;
      const people = Array.from({ length: 300 }, () => {
        const { subscription } = stripe.importCustomer({ priceId: OLD });
        if (!subscription) throw new Error("no subscription");
        return subscription;
      });
      for (const [index, { id }] of people.entries()) if (index % 10 === 0) stripe.pauseCollection(id);
      await world.drainAll();
      const before = people.map(unpriced);
      const paid = money(world);
      await retire(world, { movesPerSecond: 20 });
      const operations = ["update subscription", "get subscription", "list subscriptions"];
      for (const operation of operations) {
        stripe.faults.add({ operation, kind: "lose_answer", share: 0.05, times: 12 });
        stripe.faults.add({ operation, kind: "lose_request", share: 0.05, times: 12 });
        stripe.faults.add({ operation, kind: "late_commit", share: 0.05, times: 6 });
        stripe.faults.add({
          operation,
          kind: "status",
          status: 429,
          retryAfterSeconds: 2,
          share: 0.05,
          times: 8,
        });
        stripe.faults.add({ operation, kind: "status", status: 500, share: 0.05, times: 12 });
      }
      for (let i = 0; i < 12; i++) {
        await world.drainAll();
        await stripe.faults.commitLate();
        await world.pass({ seconds: 40 });
      }
      stripe.faults.clear();
      await stripe.faults.commitLate();
      await recover(world);
      expect(stripe.faults.met.size).toBeGreaterThan(4);
      expect(people.filter((one) => priceOf(one)[0] !== NEW)).toEqual([]);
      expect(people.map(unpriced)).toEqual(before);
      expect(money(world)).toEqual(paid);
      expect(await asked(world)).toEqual([]);
      const ended = await moves(world);
      expect([ended.length, ended.filter(({ state }) => state !== "MOVED")]).toEqual([300, []]);
      const made = (await effects(world)).filter(({ operation }) => operation === "move price");
      expect([made.length, made.filter(({ state }) => state !== "CONFIRMED")]).toEqual([300, []]);
      // The echoes of our own moves moved nothing.
      await countNow(world, "product.count_stripe");
      await world.drainAll();
      expect(await frequency(world)).toMatchObject({
        [OLD]: ["retired", 0, 0],
        [NEW]: ["registered", 270, 30],
      });
    },
  );

  test("are moved no faster than they should be", { timeout: 60_000 }, async () => {
    const world = await makeWorld();
    await openShop(world);
    for (let i = 0; i < 300; i++) world.vendors.stripe.importCustomer({ priceId: OLD });
    await retire(world, { movesPerSecond: 2 });
    await world.drain();
    const turns = (await tasksOf(world, "product.move_subscription")).map(({ run_after }) =>
      Number(run_after)
    )
      .sort((a, b) => a - b);
    expect(turns).toHaveLength(300);
    for (let second = 0; second < 150; second++) {
      const from = Number(turns[0]) + second * 1000;
      expect(turns.filter((at) => at >= from && at < from + 1000).length).toBeLessThanOrEqual(2);
    }
  });
});

test("wherever a drain is killed, each is moved once, and its evidence is from before the move", {
  timeout: 300_000,
}, async () => {
  /** Two subscribers on their way; the first drain dies at the `nth` fault point. Gives the points it came by. */
  async function live(nth: number): Promise<string[]> {
    const world = await makeWorld();
    await openShop(world);
    const people = [subscriber(world), world.vendors.stripe.pause(subscriber(world).id)];
    const before = people.map(unpriced);
    const paid = money(world);
    await retire(world, { movesPerSecond: 20 });
    const points: string[] = [];
    const first = world.deps.boss;
    world.deps.faultPoint = (name) => {
      if (world.deps.boss !== first) return Promise.resolve();
      if (points.length < nth) points.push(name);
      return points.length < nth ? Promise.resolve() : Promise.reject(new Error("dead"));
    };
    await world.drain().catch(() => undefined);
    await world.pass({ seconds: 1 });
    await world.drain().catch(() => undefined);
    world.deps.boss = makeBoss(world.db);
    await recover(world);
    const where = `${nth}: ${points.at(-1)}`;
    expect(people.map((one) => priceOf(one)), where).toEqual([[NEW], [NEW]]);
    expect(people.map(unpriced), where).toEqual(before);
    expect(money(world), where).toEqual(paid);
    expect(await asked(world), where).toEqual([]);
    const ended = await moves(world);
    expect(
      ended.map(({ state, due_before, due_after, paused_before }) => [
        state,
        due_after?.getTime() === due_before?.getTime(),
        paused_before,
      ]).sort(),
      where,
    ).toEqual([["MOVED", true, false], ["MOVED", true, true]]);
    await world.close();
    return points;
  }
  const points = await live(Infinity);
  expect([...new Set(points)]).toEqual(expect.arrayContaining([
    "before remembered",
    "effect claimed",
    "effect fenced",
    "effect sent",
    "effect confirmed",
    "after commit",
  ]));
  // At the first and at the last of each kind; CLOCKWORK_EVERY_POINT=1 tries each.
  const tried = process.env["CLOCKWORK_EVERY_POINT"]
    ? points.keys()
    : new Set(points.flatMap((name) => [points.indexOf(name), points.lastIndexOf(name)]));
  for (const index of tried) await live(index + 1);
});

test("its tasks doubled and two drains at once: each is moved once", { timeout: 60_000 }, async () => {
  const world = await makeWorld();
  await openShop(world);
  for (let i = 0; i < 12; i++) subscriber(world);
  const sent = movesSent(world);
  await retire(world, { movesPerSecond: 20 });
  await world.drain();
  for (const { id } of await moves(world)) {
    await addTask(world.db, "product.move_subscription", { move_id: id }, "stripe");
  }
  for (let i = 0; i < 6; i++) {
    await sql`update clockwork.vendors set leased_by = null, leased_until = null`.execute(world.db);
    const other = { ...world.deps, boss: makeBoss(world.db) };
    await Promise.all([drain(world.deps), drain(other)]);
    await world.pass({ seconds: 70 });
  }
  await recover(world);
  expect(movesSent(world) - sent).toBe(12);
  expect((await moves(world)).map(({ state }) => state)).toEqual(Array(12).fill("MOVED"));
  expect(await asked(world)).toEqual([]);
});

test("resent weeks later, after Stripe forgot its keys and the customer changed again: nothing happens", async () => {
  const world = await makeWorld();
  await openShop(world);
  const one = subscriber(world);
  await retire(world);
  await recover(world);
  world.vendors.stripe.forgetIdempotencyKeys();
  await world.pass({ days: 45 });
  world.vendors.stripe.pause(one.id);
  const sent = movesSent(world);
  const all = [
    ...await tasksOf(world, "product.retire"),
    ...await tasksOf(world, "product.move_subscription"),
  ];
  for (const { id } of all) await setStatus(world.db, id, "PENDING");
  await recover(world);
  expect([movesSent(world), (await moves(world)).length]).toEqual([sent, 1]);
  expect(await asked(world)).toEqual([]);
});

test("a price registered meanwhile, with a name of its own", async () => {
  const world = await makeWorld();
  await openShop(world);
  world.vendors.stripe.addPrice({ id: "price_third", interval: "month", intervalCount: 1, amount: 4900 });
  await register(world, "price_third");
  const one = subscriber(world);
  await retire(world);
  await recover(world);
  // The supported price is retired in its turn: a chain, never a circle.
  await retire(world, { from: NEW, to: "price_third" });
  await recover(world);
  expect(priceOf(one)).toEqual(["price_third"]);
  await expect(retire(world, { from: "price_third", to: OLD })).rejects.toThrow(/is retired itself/);
  await expect(
    sql`update registry.product_keys set status = 'retired', replaced_by = ${OLD} where key = 'price_third'`
      .execute(world.db),
  ).rejects.toThrow(/would replace itself in the end/);
});
