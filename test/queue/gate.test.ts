import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { FAILURES_THAT_PAUSE, VendorGate } from "../../src/shared/queue/gate.ts";
import { leaseQueue, releaseQueue } from "../../src/shared/queue/lease.ts";
import { Pace } from "../../src/shared/queue/pace.ts";
import { Wait } from "../../src/shared/queue/reasons.ts";
import { VendorError, type VendorFailure } from "../../src/shared/vendors/contract.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});

/** A vendor whose one call ends as told. */
function vendor(gate: VendorGate, ending: () => Promise<string>) {
  return gate.guard("pharmacy", { call: ending });
}
const failing = (failure: VendorFailure, details = {}) => () =>
  Promise.reject(new VendorError("pharmacy", failure, "call", details));
const row = async () =>
  await world.db.selectFrom("clockwork.vendors").selectAll().where("vendor", "=", "pharmacy")
    .executeTakeFirstOrThrow();

describe("the gate", () => {
  test("a call passes with its arguments and its answer", async () => {
    const gate = await VendorGate.load(world.deps);
    const client = gate.guard("pharmacy", { add: (a: number, b: number) => Promise.resolve(a + b) });
    expect(await client.add(1, 2)).toBe(3);
    await gate.flush();
    expect((await row()).last_success_at).not.toBeNull();
  });

  test("failures in a row open a pause, and a later drain knows it", async () => {
    const gate = await VendorGate.load(world.deps);
    const client = vendor(gate, failing("unanswered"));
    for (let i = 1; i < FAILURES_THAT_PAUSE; i++) {
      await expect(client.call()).rejects.toThrow(VendorError);
      expect(gate.pausedUntil("pharmacy")).toBeNull();
    }
    await expect(client.call()).rejects.toThrow(VendorError);
    expect(gate.pausedUntil("pharmacy")).not.toBeNull();
    await expect(client.call()).rejects.toThrow(Wait);
    expect(await row()).toMatchObject({
      failures_in_a_row: FAILURES_THAT_PAUSE,
      paused_reason: "the vendor did not reply to 5 calls in a row",
    });
    const later = await VendorGate.load(world.deps);
    expect(later.pausedUntil("pharmacy")).not.toBeNull();
    expect(later.pausedUntil("stripe")).toBeNull();
    expect(later.isProbing("pharmacy")).toBe(true);
  });

  test("after the pause a failure doubles it, a success ends it", async () => {
    const gate = await VendorGate.load(world.deps);
    let isDown = true;
    const client = vendor(gate, () => isDown ? failing("unreachable")() : Promise.resolve("ok"));
    for (let i = 0; i < FAILURES_THAT_PAUSE; i++) await client.call().catch(() => {});
    const lengthOf = (): number => (gate.pausedUntil("pharmacy")?.getTime() ?? 0) - world.now().getTime();
    const first = lengthOf();
    await world.pass({ seconds: 31 });
    await expect(client.call()).rejects.toThrow(VendorError);
    expect(lengthOf()).toBeGreaterThan(first * 1.5);
    await world.pass({ minutes: 11 });
    isDown = false;
    expect(await client.call()).toBe("ok");
    expect(gate.isProbing("pharmacy")).toBe(false);
    expect(await row()).toMatchObject({ failures_in_a_row: 0 });
  });

  test("calls that were under way when the pause opened do not draw it out", async () => {
    const gate = await VendorGate.load(world.deps);
    const client = vendor(gate, failing("unanswered"));
    await Promise.all(Array.from({ length: 12 }, () => client.call().catch(() => {})));
    const { failures_in_a_row, paused_until } = await row();
    expect(failures_in_a_row).toBe(FAILURES_THAT_PAUSE);
    expect((paused_until?.getTime() ?? 0) - world.now().getTime()).toBeLessThanOrEqual(30_000);
  });

  test("429 pauses for as long as the vendor says, and is no failure", async () => {
    const gate = await VendorGate.load(world.deps);
    await expect(vendor(gate, failing("rate_limited", { status: 429, retryAfterSeconds: 120 })).call())
      .rejects.toThrow(VendorError);
    const until = gate.pausedUntil("pharmacy")?.getTime() ?? 0;
    expect(Math.round((until - world.now().getTime()) / 1000)).toBe(120);
    expect(await row()).toMatchObject({
      failures_in_a_row: 0,
      paused_reason: "the vendor asked us to slow down (429)",
    });
  });

  test("a refusal is an answer", async () => {
    const gate = await VendorGate.load(world.deps);
    for (let i = 0; i < 10; i++) {
      await vendor(gate, failing("refused", { status: 400 })).call().catch(() => {});
    }
    expect(gate.pausedUntil("pharmacy")).toBeNull();
  });

  test("a refused key pauses the vendor: no task is to blame", async () => {
    const gate = await VendorGate.load(world.deps);
    await expect(vendor(gate, failing("refused", { status: 401 })).call()).rejects.toThrow(VendorError);
    expect(await row()).toMatchObject({ paused_reason: "the vendor refuses our key (401)" });
  });

  test("a longer pause that a person set stands", async () => {
    const gate = await VendorGate.load(world.deps);
    const tomorrow = new Date(world.now().getTime() + 86_400_000);
    await sql`update clockwork.vendors set paused_until = ${tomorrow}, paused_reason = 'they asked us to' where vendor = 'pharmacy'`
      .execute(world.db);
    await vendor(gate, failing("rate_limited", { retryAfterSeconds: 5 })).call().catch(() => {});
    expect(await row()).toMatchObject({ paused_until: tomorrow, paused_reason: "they asked us to" });
    await gate.flush();
    expect(gate.pausedUntil("pharmacy")).toEqual(tomorrow);
  });

  test("an error that is not the vendor's passes unchanged and counts for nothing", async () => {
    const gate = await VendorGate.load(world.deps);
    await expect(vendor(gate, () => Promise.reject(new TypeError("a bug"))).call()).rejects.toThrow(
      TypeError,
    );
    expect(gate.isProbing("pharmacy")).toBe(false);
  });
});

describe("the pace", () => {
  test("spaces the requests of a vendor evenly, over all its callers, and no other vendor's", async () => {
    const waits: number[] = [];
    const pace = new Pace((milliseconds) => Promise.resolve(void waits.push(milliseconds)));
    const asked: string[] = [];
    const fetch = pace.paced(
      "stripe",
      (input) => {
        asked.push(String(input));
        return Promise.resolve(new Response());
      },
    );
    pace.setRate("stripe", 10);
    await Promise.all(Array.from({ length: 5 }, (_, n) => fetch(`http://vendor.test/${n}`)));
    expect(asked).toHaveLength(5);
    expect(waits).toHaveLength(4);
    expect(Math.max(...waits)).toBeGreaterThan(300);
    expect(Math.max(...waits)).toBeLessThanOrEqual(400);
    await pace.paced("crm", () => Promise.resolve(new Response()))("http://vendor.test/");
    expect(waits).toHaveLength(4);
  });

  test("takes the rates from clockwork.vendors with every drain", async () => {
    const rates = new Map<string, number>();
    const pace = new Pace(() => Promise.resolve());
    pace.setRate = (vendor, perSecond) => void rates.set(vendor, perSecond);
    await sql`update clockwork.vendors set rate_per_second = 7 where vendor = 'crm'`.execute(world.db);
    await VendorGate.load({ ...world.deps, pace });
    expect(rates.get("crm")).toBe(7);
  });
});

describe("the lease of a queue", () => {
  test("one drain at a time; the same one may renew; it ends by itself", async () => {
    const [mine, other] = [crypto.randomUUID(), crypto.randomUUID()];
    expect(await leaseQueue(world.deps, "crm", mine, 90)).toBe(true);
    expect(await leaseQueue(world.deps, "crm", other, 90)).toBe(false);
    expect(await leaseQueue(world.deps, "crm", mine, 90)).toBe(true);
    expect(await leaseQueue(world.deps, "stripe", other, 90)).toBe(true);
    await world.pass({ seconds: 91 });
    expect(await leaseQueue(world.deps, "crm", other, 90)).toBe(true);
    await releaseQueue(world.deps, "crm", mine);
    expect(await leaseQueue(world.deps, "crm", mine, 90)).toBe(false);
    await releaseQueue(world.deps, "crm", other);
    expect(await leaseQueue(world.deps, "crm", mine, 90)).toBe(true);
  });
});

describe("outages and the queue", () => {
  test("a vendor's outage of a day stops nobody else and floods nobody's dead letter", async () => {
    await world.clinic.openShop();
    const people = await Promise.all(
      ["Ada", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal"].map((name) => world.clinic.signUp(name)),
    );
    for (const person of people) {
      world.clinic.prescribe(person, "price_pen_month");
      world.clinic.subscribe(person, "price_pen_month");
    }
    world.vendors.pharmacy.faults.add({ kind: "status", status: 503 });
    for (let hour = 0; hour < 24; hour++) {
      await world.drainAll();
      await world.pass({ hours: 1 });
    }
    const { rows: stopped } = await sql`select 1 from clockwork.tasks where status = 'MANUAL_INTERVENTION'`
      .execute(world.db);
    expect(stopped).toEqual([]);
    const { rows: paid } =
      await sql`select 1 from clockwork.tasks where step = 'order.make' and status = 'DONE'`.execute(
        world.db,
      );
    expect(paid).toHaveLength(people.length);
    world.vendors.pharmacy.faults.clear();
    for (let i = 0; i < 8; i++) {
      await world.pass({ minutes: 15 });
      await world.drainAll();
    }
    expect([...world.vendors.pharmacy.state.orders.values()]).toHaveLength(people.length);
    expect(await row()).toMatchObject({ failures_in_a_row: 0 });
  });
});
