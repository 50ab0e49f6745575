import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { drain } from "../../src/shared/queue/drain.ts";
import type { DrainDeps } from "../../src/shared/queue/turn.ts";
import { defineStep, type Outcome, type StepContext } from "../../src/shared/queue/step.ts";
import { makeStepTable } from "../../src/shared/steps/table.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { addTask, orders, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
let deps: DrainDeps;
/** What a run of the step under test does. */
let act: (ctx: StepContext, n: number) => Promise<Outcome> | Outcome;
let runs: number;

const probe = defineStep({
  handles: ["standard.test.probe"],
  queue: "internal",
  data: z.strictObject({ n: z.number().default(0) }),
  run: async (ctx, { n }) => {
    runs += 1;
    return await act(ctx, n);
  },
});

beforeEach(async () => {
  world = await makeWorld();
  runs = 0;
  act = () => ({ kind: "done" });
  deps = { ...world.deps, steps: makeStepTable([probe]) };
});

describe("a task that can never succeed", () => {
  test(
    "reaches a person though its own failures pause the vendor: a pause does not give it new tries",
    async () => {
      await world.clinic.openShop();
      const person = await world.clinic.signUp("Ada Example");
      const { invoiceId } = world.clinic.subscribe(person, "price_pen_month");
      const real = world.deps.vendors.stripe;
      world.deps.vendors = {
        ...world.deps.vendors,
        stripe: {
          ...real,
          getInvoice: (id) =>
            id === invoiceId
              ? Promise.reject(new VendorError("stripe", "unanswered", "get invoice", { status: 500 }))
              : real.getInvoice(id),
        },
      };
      await sql`update clockwork.vendors set retry_limit = 6 where vendor = 'stripe'`.execute(world.db);
      // A small clinic at night: Stripe is well, and something else succeeds there once an hour.
      for (let hour = 0; hour < 8; hour++) {
        const other = await world.clinic.signUp("Ben Example");
        world.clinic.prescribe(other, "price_pen_month");
        world.clinic.subscribe(other, "price_pen_month");
        for (let minute = 0; minute < 20; minute++) {
          await world.drainAll();
          await world.pass({ minutes: 1 });
        }
        await world.pass({ minutes: 40 });
      }
      const others = (await tasksOf(world, "order.make")).filter((task) => task.status === "DONE");
      expect(others.length).toBeGreaterThan(6);
      const task = (await tasksOf(world, "order.make")).find((one) => one.invoice_id === invoiceId);
      expect(task).toMatchObject({ status: "MANUAL_INTERVENTION" });
    },
    120_000,
  );

  test("and whose result cannot be written is seen while it is tried, and ends with its true reason", async () => {
    await sql`update clockwork.vendors set retry_limit = 2 where vendor = 'internal'`.execute(world.db);
    act = () => ({ kind: "done", commit: () => Promise.reject(new TypeError("a bug in the commit")) });
    const id = await addTask(world.db, "standard.test.probe", {});
    await drain(deps);
    const { rows } = await sql<{ why: string }>`select why from ops.waiting where task_id = ${id}`.execute(
      world.db,
    );
    expect.soft(rows).toMatchObject([{ why: expect.stringContaining("Clockwork itself failed") }]);
    for (let i = 0; i < 12; i++) {
      await world.pass({ hours: 1 });
      await drain(deps);
    }
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "INTERNAL_ERROR",
    });
  });
});

describe("a batch", () => {
  test("settles what is done while a slow task of it still runs, so that a drain that dies loses only that one", async () => {
    let wake = () => {};
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    act = async (_ctx, n) => {
      if (n === 1) await asleep;
      return { kind: "done" };
    };
    await addTask(world.db, "standard.test.probe", { n: 1 });
    const quick = await addTask(world.db, "standard.test.probe", { n: 2 });
    const running = drain(deps);
    try {
      await expect.poll(async () => (await world.task(quick)).status, { timeout: 2000 }).toBe("DONE");
    } finally {
      wake();
      await running;
    }
  });
});

describe("clocks that differ a little", () => {
  test("a wait that is over by the database's clock and not by the machine's does not run in circles", async () => {
    const behind = () => new Date(world.now().getTime() - 2000);
    const until = new Date(world.now().getTime() - 500);
    act = (ctx) =>
      ctx.now() < until
        ? { kind: "wait", until, reason: { code: "NOT_DUE_YET", details: { day: "today" } } }
        : { kind: "done" };
    await addTask(world.db, "standard.test.probe", {});
    await drain({ ...deps, clock: behind });
    expect(runs).toBeLessThan(5);
  });

  test("news during a check is not missed when the machine's clock is ahead of the database's", async () => {
    await world.clinic.openShop();
    const person = await world.clinic.signUp("Ada Example");
    world.deps.clock = () => new Date(world.now().getTime() + 3000);
    let isWritten = false;
    world.deps.faultPoint = async (name) => {
      // Other points lie within a transaction, where this would take a second connection.
      if (isWritten || name !== "step ran") return;
      const queued = await world.db.selectFrom("clockwork.tasks").select("id")
        .where("step", "=", "order.place").where("status", "=", "QUEUED").executeTakeFirst();
      if (!queued) return;
      isWritten = true;
      world.clinic.prescribe(person, "price_morning_month");
      await sql`update tracker.orders set released_at = clockwork.now()`.execute(world.db);
    };
    world.vendors.health.outbox.faults.dropped = 1;
    world.vendors.pharmacy.outbox.faults.dropped = 1;
    world.clinic.subscribe(person, "price_morning_month");
    await world.drainAll();
    await world.pass({ seconds: 10 });
    await world.drainAll();
    expect(isWritten).toBe(true);
    expect(await orders(world)).toMatchObject([{ state: "PLACED" }]);
  });
});

describe("what is logged", () => {
  test("an error whose message has a line that begins with 'at' does not leak it", async () => {
    act = () => Promise.reject(new TypeError("bad\n  at CANARY-DRUG 5 mg"));
    await addTask(world.db, "standard.test.probe", {});
    await drain(deps);
    expect(JSON.stringify(world.lines)).not.toContain("CANARY");
  });
});

describe("what a person may set", () => {
  test.each([
    "retry_limit = -1",
    "retry_delay_seconds = -5",
    "retry_delay_max_seconds = -1",
  ])("%s of one vendor is refused, or stops at most that vendor", async (edit) => {
    try {
      await sql.raw(`update clockwork.vendors set ${edit} where vendor = 'crm'`).execute(world.db);
    } catch {
      return;
    }
    const id = await addTask(world.db, "standard.test.probe", {});
    await drain(deps).catch(() => {});
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test.each([
    [
      "a vendor's pause",
      "update clockwork.vendors set paused_until = clockwork.now() + interval '1 day', paused_reason = 'stop' where vendor = 'internal'",
    ],
    ["maintenance", "update clockwork.settings set maintenance = true"],
  ])(
    "%s holds the work of a drain that is under way, after the batch in its hands at the latest",
    async (_what, edit) => {
      act = async () => {
        if (runs === 1) await sql.raw(edit).execute(world.db);
        return { kind: "done" };
      };
      for (let n = 0; n < 100; n++) await addTask(world.db, "standard.test.probe", { n });
      await drain(deps);
      expect(runs).toBeLessThanOrEqual(32);
    },
  );

  test("a time zone that does not exist is refused", async () => {
    await expect(
      sql`update clockwork.settings set pharmacy_time_zone = 'New York'`.execute(world.db),
    ).rejects.toThrow();
  });
});
