import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { makeBoss } from "../../src/shared/queue/boss.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import type { DrainDeps } from "../../src/shared/queue/turn.ts";
import { type FollowUp, Permanent, reason, Retryable, Wait } from "../../src/shared/queue/reasons.ts";
import { defineOwnStep, defineStep, type Outcome, type StepContext } from "../../src/shared/queue/step.ts";
import { makeStepTable } from "../../src/shared/steps/table.ts";
import { VendorError } from "../../src/shared/vendors/contract.ts";
import { addTask, setData, setStatus } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";

let world: World;
/** What each run of the step under test does, one entry a run; the last one stays. */
let script: ((ctx: StepContext) => Promise<Outcome> | Outcome)[];
let runs: number;
let deps: DrainDeps;

const probe = defineStep({
  handles: ["standard.test.probe"],
  queue: "internal",
  data: z.strictObject({ n: z.number().default(0) }),
  run: async (ctx) => {
    const act = script[Math.min(runs, script.length - 1)];
    runs += 1;
    return (await act?.(ctx)) ?? { kind: "done" };
  },
});
/** Follow-ups are made by the names of our own steps, so one of them lends its name. */
const followed = defineOwnStep("customer.linked", {
  queue: "internal",
  run: () => Promise.resolve({ kind: "done" }),
});

/** Goes on page by page, as the nightly checks do. */
const pageOf: Parameters<typeof defineOwnStep<"product.move_subscription">>[1] = {
  queue: "internal",
  run: (_ctx, { move_id: n }) =>
    Promise.resolve({
      kind: "done",
      commit: () =>
        Promise.resolve(n > 0 ? [{ step: "product.move_subscription", data: { move_id: n - 1 } }] : []),
    }),
};

beforeEach(async () => {
  world = await makeWorld();
  script = [];
  runs = 0;
  deps = { ...world.deps, steps: makeStepTable([probe, followed]) };
});

const addProbe = (data = {}) => addTask(world.db, "standard.test.probe", data);
const done = (): Outcome => ({ kind: "done" });

/** Another process: its own pg-boss, the same database. */
const another = (faults: Partial<DrainDeps> = {}): DrainDeps => ({
  ...deps,
  boss: makeBoss(world.db),
  ...faults,
});

/** A drain that is killed at a fault point: from there on nothing of it reaches the database. */
function killedAt(point: string): DrainDeps {
  let isDead = false;
  return another({
    faultPoint: (name) => {
      if (name === point) isDead = true;
      return isDead ? Promise.reject(new Error(`killed at ${name}`)) : Promise.resolve();
    },
  });
}

describe("outcomes", () => {
  test("done", async () => {
    const id = await addProbe();
    const report = await drain(deps);
    expect(report).toMatchObject({ settled: 1, retried: 0, stopped: 0, lost: 0 });
    expect(await world.task(id)).toMatchObject({ status: "DONE", attempts: 1, reason: null, job_id: null });
    expect((await world.task(id)).done_at).not.toBeNull();
  });

  test("follow-ups are born with the move, know their cause, and run in the same drain", async () => {
    script = [(ctx) => {
      ctx.about({ invoiceId: "in_1" });
      return {
        kind: "done",
        commit: () =>
          Promise.resolve([{ step: "customer.linked", data: { customer_id: 1 } }, {
            step: "customer.linked",
            data: { customer_id: 2 },
          }]),
      };
    }];
    const id = await addProbe();
    await drain(deps);
    const children = await world.db.selectFrom("clockwork.tasks").selectAll().where("caused_by", "=", id)
      .orderBy("id").execute();
    expect(children).toMatchObject([
      { key: `${id}:1`, status: "DONE", invoice_id: "in_1" },
      { key: `${id}:2`, status: "DONE", invoice_id: "in_1" },
    ]);
  });

  test("a resent task's follow-ups are not swallowed by their finished twins", async () => {
    script = [
      () => ({
        kind: "done",
        commit: () => Promise.resolve([{ step: "customer.linked", data: { customer_id: 1 } }]),
      }),
    ];
    const id = await addProbe();
    await drain(deps);
    await setStatus(world.db, id, "PENDING");
    await drain(deps);
    const children = await world.db.selectFrom("clockwork.tasks").select("key").where("caused_by", "=", id)
      .orderBy("id").execute();
    expect(children.map((child) => child.key)).toEqual([`${id}:1`, `${id}:2`]);
  });

  test("a follow-up for a person is born in MANUAL_INTERVENTION, and a resend runs it", async () => {
    script = [() => ({
      kind: "done",
      commit: () =>
        Promise.resolve([{
          step: "customer.linked",
          data: { customer_id: 1 },
          person: reason("PARTIAL_REFUND"),
        }]),
    })];
    await addProbe();
    await drain(deps);
    const child = await world.db.selectFrom("clockwork.tasks").selectAll().where(
      "step",
      "=",
      "customer.linked",
    )
      .executeTakeFirstOrThrow();
    expect(child).toMatchObject({ status: "MANUAL_INTERVENTION", reason_code: "PARTIAL_REFUND" });
    await setStatus(world.db, child.id, "PENDING");
    await drain(deps);
    expect(await world.task(child.id)).toMatchObject({ status: "DONE" });
  });

  test("permanent: a person, with the catalogue's sentence", async () => {
    script = [
      () => Promise.reject(new Permanent("UNKNOWN_PRODUCT", { system: "stripe_price", key: "price_x" })),
    ];
    const id = await addProbe();
    expect(await drain(deps)).toMatchObject({ settled: 1, stopped: 1 });
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "UNKNOWN_PRODUCT",
      reason: "No product has the stripe_price price_x.",
      attempts: 1,
    });
  });

  test("a commit that goes with stopping is written with it", async () => {
    script = [() => ({
      kind: "stopped",
      reason: reason("PRESCRIPTION_UNCLEAR", { what: "the last day it is valid" }),
      commit: async (trx) => {
        await sql`update clockwork.settings set maintenance = true`.execute(trx);
        return [];
      },
    })];
    const id = await addProbe();
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "MANUAL_INTERVENTION" });
    const settings = await world.db.selectFrom("clockwork.settings").selectAll().executeTakeFirstOrThrow();
    expect(settings.maintenance).toBe(true);
  });

  test("waiting is not counted, says why, and comes back at its time", async () => {
    const until = new Date(world.now().getTime() + 3_600_000);
    script = [() => Promise.reject(new Wait(until, "VENDOR_PAUSED", { vendor: "crm" })), done];
    const id = await addProbe();
    await drain(deps);
    expect(await world.task(id)).toMatchObject({
      status: "PENDING",
      attempts: 0,
      reason_code: "VENDOR_PAUSED",
      run_after: until,
    });
    await drain(deps);
    expect(runs).toBe(1);
    await world.pass({ hours: 1 });
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "DONE", attempts: 1 });
  });

  test("retryable: counted, next try is shown, and pg-boss brings it back", async () => {
    script = [() => Promise.reject(new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" })), done];
    const id = await addProbe();
    expect(await drain(deps)).toMatchObject({ settled: 1, retried: 1 });
    const waiting = await world.task(id);
    expect(waiting).toMatchObject({ status: "QUEUED", attempts: 1, reason_code: "NOT_YET_VISIBLE" });
    expect(waiting.run_after.getTime()).toBeGreaterThan(world.now().getTime());
    await world.pass({ minutes: 1 });
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "DONE", attempts: 2, reason: null });
  });

  test("the last try goes to a person with the reason of its failure", async () => {
    await sql`update clockwork.vendors set retry_limit = 2 where vendor = 'internal'`.execute(world.db);
    script = [() => Promise.reject(new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" }))];
    const id = await addProbe();
    for (let i = 0; i < 5; i++) {
      await drain(deps);
      await world.pass({ hours: 1 });
    }
    expect(runs).toBe(3);
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "NOT_YET_VISIBLE",
      attempts: 3,
    });
  });

  test("a bug is retried and logged without its message", async () => {
    script = [() => Promise.reject(new TypeError("secret words")), done];
    const id = await addProbe();
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "QUEUED", reason_code: "INTERNAL_ERROR" });
    expect(JSON.stringify(world.lines)).not.toContain("secret words");
    expect(world.lines.find((line) => line.event === "step_failed")?.fields).toMatchObject({
      task: id,
      error: "TypeError",
    });
  });

  test("data that is not what the step needs goes to a person without its values, and a corrected one runs", async () => {
    const id = await addTask(world.db, "standard.test.probe", { n: "secret words" });
    await drain(deps);
    const task = await world.task(id);
    expect(task).toMatchObject({ status: "MANUAL_INTERVENTION", reason_code: "INVALID_DATA" });
    expect(task.reason).not.toContain("secret");
    await setData(world.db, id, { n: 3 });
    await setStatus(world.db, id, "PENDING");
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("the facts of a question are no data of its step", async () => {
    const id = await addTask(world.db, "customer.linked", { customer_id: 1, facts: "re_1:500" });
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "DONE", data: { facts: "re_1:500" } });
  });

  test("a step nobody knows goes to a person", async () => {
    const id = await addTask(world.db, "test.typo", {});
    await drain(deps);
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason_code: "UNKNOWN_STEP",
      reason: "No step is called test.typo.",
    });
  });

  test("a vendor that refuses is a person's matter; one that does not answer is retried", async () => {
    script = [
      () => Promise.reject(new VendorError("crm", "unanswered", "send event")),
      () => Promise.reject(new VendorError("crm", "refused", "send event", { status: 422, code: "bad" })),
    ];
    const id = await addProbe();
    await drain(deps);
    expect(await world.task(id)).toMatchObject({
      status: "QUEUED",
      reason: "crm did not reply: send event.",
    });
    await world.pass({ minutes: 1 });
    await drain(deps);
    expect(await world.task(id)).toMatchObject({
      status: "MANUAL_INTERVENTION",
      reason: "crm refused: send event (status 422, code bad).",
    });
  });

  test("one bad settle holds up no other", async () => {
    script = [
      () => ({ kind: "done", commit: () => Promise.reject(new Error("this commit fails")) }),
      done,
      done,
    ];
    const ids = [await addProbe(), await addProbe(), await addProbe()];
    const report = await drain(deps);
    expect(report).toMatchObject({ settled: 3, retried: 1, lost: 0 });
    const statuses = await Promise.all(ids.map(async (id) => (await world.task(id)).status));
    expect(statuses.toSorted()).toEqual(["DONE", "DONE", "QUEUED"]);
    expect(world.lines.some((line) => line.event === "settle_failed")).toBe(true);
  });
});

describe("when things die", () => {
  test.each(["tasks locked", "jobs inserted", "tasks queued"])(
    "killed while claiming (%s): nothing happened",
    async (point) => {
      const id = await addProbe();
      await drain(killedAt(point));
      expect(await world.task(id)).toMatchObject({ status: "PENDING" });
      await drain(another());
      expect(runs).toBe(1);
      expect(await world.task(id)).toMatchObject({ status: "DONE" });
    },
  );

  test.each(["jobs fetched", "step ran", "job settled", "task moved", "outcome committed", "before commit"])(
    "killed while working (%s): back in play within 2 minutes",
    async (point) => {
      const id = await addProbe();
      script = [
        () => ({
          kind: "done",
          commit: () => Promise.resolve([{ step: "customer.linked", data: { customer_id: 1 } }]),
        }),
      ];
      await drain(killedAt(point));
      expect((await world.task(id)).status).toBe("QUEUED");
      for (let i = 0; i < 12; i++) {
        await world.pass({ seconds: 10 });
        await drain(another());
      }
      expect(await world.task(id)).toMatchObject({ status: "DONE" });
      const children = await world.db.selectFrom("clockwork.tasks").select("id").where("caused_by", "=", id)
        .execute();
      expect(children).toHaveLength(1);
    },
  );

  test("killed after the commit: done once", async () => {
    const id = await addProbe();
    await drain(killedAt("after commit"));
    for (let i = 0; i < 12; i++) {
      await world.pass({ seconds: 10 });
      await drain(another());
    }
    expect(runs).toBe(1);
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("a drain that dies on every try: the dead letter brings the task to a person", async () => {
    await sql`update clockwork.vendors set retry_limit = 1 where vendor = 'internal'`.execute(world.db);
    const id = await addProbe();
    // Every second of them only finds the job silent and gives it back for its next try.
    for (let i = 0; i < 3; i++) {
      await drain(killedAt("jobs fetched"));
      await world.pass({ minutes: 2 });
    }
    expect(await world.task(id)).toMatchObject({ status: "QUEUED" });
    await drain(another());
    expect(runs).toBe(0);
    expect(await world.task(id)).toMatchObject({ status: "MANUAL_INTERVENTION", reason_code: "DRAIN_DIED" });
    await setStatus(world.db, id, "PENDING");
    await drain(another());
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("a zombie that wakes after its claim was lost writes nothing", async () => {
    const id = await addProbe();
    let wake = () => {};
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    let fellAsleep = () => {};
    const isAsleep = new Promise<void>((resolve) => (fellAsleep = resolve));
    const commit = (): Promise<FollowUp[]> =>
      Promise.resolve([{ step: "customer.linked", data: { customer_id: 1 } }]);
    script = [
      async () => {
        fellAsleep();
        await asleep;
        return { kind: "done", commit };
      },
      () => ({ kind: "done", commit }),
    ];
    const zombie = drain(another());
    await isAsleep;
    for (let i = 0; i < 12; i++) {
      await world.pass({ seconds: 10 });
      await drain(another());
    }
    expect(runs).toBe(2);
    wake();
    expect(await zombie).toMatchObject({ settled: 0, lost: 1 });
    const children = await world.db.selectFrom("clockwork.tasks").select("id").where("caused_by", "=", id)
      .execute();
    expect(children).toHaveLength(1);
    expect(await world.task(id)).toMatchObject({ status: "DONE" });
  });

  test("a task whose job pg-boss no longer knows is put back after an hour", async () => {
    const id = await addProbe();
    await sql`update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() from (select set_config('clockwork.actor', 'clockwork:test', true)) as actor where id = ${id}`
      .execute(world.db);
    await drain(deps);
    expect((await world.task(id)).status).toBe("QUEUED");
    await world.pass({ minutes: 61 });
    await drain(deps);
    expect((await world.task(id)).status).toBe("DONE");
  });
});

describe("people and drains at once", () => {
  test("a person cancels a task that is being run: the run's result is not written", async () => {
    const id = await addProbe();
    script = [async () => {
      await setStatus(world.db, id, "CANCELLED");
      return {
        kind: "done",
        commit: () => Promise.resolve([{ step: "customer.linked", data: { customer_id: 1 } }]),
      };
    }];
    expect(await drain(deps)).toMatchObject({ settled: 0, lost: 1 });
    expect(await world.task(id)).toMatchObject({ status: "CANCELLED" });
    expect(await world.db.selectFrom("clockwork.tasks").select("id").where("caused_by", "=", id).execute())
      .toEqual([]);
    await world.pass({ minutes: 10 });
    await drain(another());
    expect(runs).toBe(1);
  });

  test("two drains at once run each task once", async () => {
    const ids = await Promise.all(Array.from({ length: 60 }, () => addProbe()));
    await Promise.all([drain(another()), drain(another()), drain(another())]);
    await drain(another());
    expect(runs).toBe(ids.length);
    const open = await world.db.selectFrom("clockwork.tasks").select("id").where("status", "<>", "DONE")
      .execute();
    expect(open).toEqual([]);
  });

  test("nothing runs in maintenance", async () => {
    await sql`update clockwork.settings set maintenance = true`.execute(world.db);
    const id = await addProbe();
    await drain(deps);
    expect(await world.task(id)).toMatchObject({ status: "PENDING" });
  });

  test("a step that costs as much as many tasks ends a drain sooner", async () => {
    const heavy = defineOwnStep("product.move_subscription", { ...pageOf, weight: 10 });
    const light = defineOwnStep("product.move_subscription", pageOf);
    const pagesDone = async (step: typeof heavy) => {
      await addTask(world.db, "product.move_subscription", { move_id: 8 });
      const steps = makeStepTable([step]);
      const { settled } = await drain({ ...deps, steps, budget: { milliseconds: 60_000, tasks: 25 } });
      return settled;
    };
    expect(await pagesDone(heavy)).toBe(3);
    await sql`update clockwork.tasks set status = 'CANCELLED' where status = 'PENDING'`.execute(world.db);
    expect(await pagesDone(light)).toBe(9);
  });

  test("the budget ends a drain, and the next one goes on", async () => {
    for (let i = 0; i < 80; i++) await addProbe();
    const report = await drain({ ...deps, budget: { milliseconds: 60_000, tasks: 32 } });
    expect(report.settled).toBe(32);
    await drain(deps);
    expect(runs).toBe(80);
  });

  test("a queue without work is left alone", async () => {
    const fetched: string[] = [];
    const boss = makeBoss(world.db);
    const fetch = boss.fetch.bind(boss);
    boss.fetch = (async (name: string, ...rest: unknown[]) => {
      fetched.push(name);
      return await Reflect.apply(fetch, boss, [name, ...rest]);
    }) as typeof boss.fetch;
    await drain({ ...deps, boss });
    expect(fetched).toEqual(["dead_letter"]);
    await addProbe();
    await drain({ ...deps, boss });
    expect(runs).toBe(1);
    expect(new Set(fetched)).toEqual(new Set(["dead_letter", "internal"]));
  });

  test("every job carries its task's id and nothing else", async () => {
    await addProbe({ n: 7 });
    await drain(killedAt("jobs fetched"));
    const { rows } = await sql<{ data: unknown }>`select data from pgboss.job`.execute(world.db);
    expect(rows.map((row) => row.data)).toEqual([{ task_id: 1 }]);
  });
});
