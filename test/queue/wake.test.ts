import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { asClockwork, type Trx } from "../../src/shared/db/database.ts";
import { drain } from "../../src/shared/queue/drain.ts";
import { Permanent, Retryable } from "../../src/shared/queue/reasons.ts";
import { defineOwnStep, type Outcome } from "../../src/shared/queue/step.ts";
import { resendTasks, wakeTasks } from "../../src/shared/queue/wake.ts";
import { wakeRenewalTasks } from "../../src/shared/renewals/renewals.ts";
import { makeStepTable } from "../../src/shared/steps/table.ts";
import { makeWorld, type World } from "../support/world.ts";
import { given } from "./support.ts";

const STATUSES = ["PENDING", "QUEUED", "DONE", "MANUAL_INTERVENTION", "PARKED", "CANCELLED"] as const;
const LONG_AGO = new Date("2020-01-01T00:00:00Z");
const NEXT_CENTURY = new Date("2100-01-01T00:00:00Z");

let world: World;
/** Each test wakes tasks of a step of ours that are about a move of its own. */
const step = "product.move_subscription";
let about = { move_id: 0 };
beforeAll(async () => {
  world = await makeWorld({ shared: true });
});
afterAll(() => world.close());
beforeEach(() => {
  about = { move_id: about.move_id + 1 };
});

const act = <Result>(work: (trx: Trx) => Promise<Result>) => asClockwork(world.db, "test", work);
const stopped = (more: Partial<Parameters<typeof given>[1]> = {}) =>
  given(world.db, { step, data: about, status: "MANUAL_INTERVENTION", attempts: 21, ...more });

/** A task in each status, as it stands before and after. */
async function oneOfEach(more: Partial<Parameters<typeof given>[1]> = {}) {
  for (const status of STATUSES) {
    await given(world.db, { step, data: about, status, attempts: 3, code: "NO_VALID_PRESCRIPTION", ...more });
  }
  return await all();
}
async function all() {
  const tasks = await world.db.selectFrom("clockwork.tasks").selectAll()
    .where(sql<boolean>`data ->> 'move_id' = ${String(about.move_id)}`).orderBy("id").execute();
  return Object.fromEntries(tasks.map((task, index) => [STATUSES[index] ?? "", task]));
}

describe("wakeTasks", () => {
  test("what stopped at a person is due now, with all its tries and without the old reason", async () => {
    const id = await stopped({ code: "VENDOR_UNANSWERED", runAfter: NEXT_CENTURY });
    expect(await act((trx) => wakeTasks(trx, { step, about }))).toEqual([id]);
    const task = await world.task(id);
    expect(task).toMatchObject({ status: "PENDING", attempts: 0, reason: null, reason_code: null });
    expect(task.run_after.getTime()).toBeLessThanOrEqual(world.now().getTime());
  });

  test("it does not jump the queue: it is due as of now, not as of the day on which it stopped", async () => {
    const id = await stopped({ runAfter: LONG_AGO });
    await act((trx) => wakeTasks(trx, { ids: [id] }));
    expect((await world.task(id)).run_after.getTime()).toBeGreaterThan(world.now().getTime() - 60_000);
  });

  test("what waits, runs, has ended, is parked or was dropped is left alone", async () => {
    const { MANUAL_INTERVENTION, ...others } = await oneOfEach();
    expect(await act((trx) => wakeTasks(trx, { step, about }))).toEqual([MANUAL_INTERVENTION?.id]);
    expect(await all()).toMatchObject(others);
  });

  test("alsoWaiting brings a PENDING one forward: it waits for nothing any more, and keeps its tries", async () => {
    const { PENDING, MANUAL_INTERVENTION, ...others } = await oneOfEach({ runAfter: NEXT_CENTURY });
    const woken = await act((trx) => wakeTasks(trx, { step, about }, { alsoWaiting: true }));
    expect(new Set(woken)).toEqual(new Set([PENDING?.id, MANUAL_INTERVENTION?.id]));
    const now = await all();
    expect(now).toMatchObject(others);
    expect(now["PENDING"]).toMatchObject({ status: "PENDING", attempts: 3, reason: null, reason_code: null });
    expect(now["PENDING"]?.run_after.getTime()).toBeLessThanOrEqual(world.now().getTime());
    expect(now["MANUAL_INTERVENTION"]).toMatchObject({ status: "PENDING", attempts: 0, reason: null });
  });

  test("one that is due already keeps its place in the queue", async () => {
    const id = await given(world.db, { step, data: about, runAfter: LONG_AGO });
    await act((trx) => wakeTasks(trx, { ids: [id] }, { alsoWaiting: true }));
    expect((await world.task(id)).run_after).toEqual(LONG_AGO);
  });

  test("an answer that nobody gave is taken out of data", async () => {
    const id = await stopped({ step: "subscription.start", data: { customer_id: 7, despite_earlier: true } });
    await act((trx) =>
      wakeTasks(trx, { step: "subscription.start", ids: [id] }, { without: "despite_earlier" })
    );
    expect((await world.task(id)).data).toEqual({ customer_id: 7 });
  });

  test("an empty list wakes nobody", async () => {
    const id = await stopped();
    expect(await act((trx) => wakeTasks(trx, { ids: [] }))).toEqual([]);
    expect(await act((trx) => wakeTasks(trx, { step, about: { move_id: [] } }))).toEqual([]);
    expect(await world.task(id)).toMatchObject({ status: "MANUAL_INTERVENTION" });
  });

  test("the history says that the machinery did it", async () => {
    const id = await stopped();
    await act((trx) => wakeTasks(trx, { ids: [id] }));
    const history = await world.db.selectFrom("clockwork.task_history").select(["actor", "to_status"])
      .where("task_id", "=", id).execute();
    expect(history).toEqual([{ actor: "clockwork:test", to_status: "PENDING" }]);
  });
});

describe("resendTasks", () => {
  test("runs again for a person what stopped or was dropped, with new tries and without the old reason", async () => {
    const { MANUAL_INTERVENTION: _, CANCELLED: __, ...others } = await oneOfEach();
    await world.db.transaction().execute((trx) => resendTasks(trx, { step, about }));
    const now = await all();
    expect(now).toMatchObject(others);
    for (const status of ["MANUAL_INTERVENTION", "CANCELLED"]) {
      expect(now[status]).toMatchObject({ status: "PENDING", attempts: 0, reason: null, reason_code: null });
    }
  });
});

describe("a woken task has its tries again", () => {
  let runs: (() => Outcome)[];
  const flaky = () => {
    throw new Retryable("VENDOR_UNANSWERED", { vendor: "stripe", operation: "pause" });
  };
  const probe = defineOwnStep(step, {
    queue: "internal",
    run: async (_ctx, { move_id: move }) => {
      const act = move === about.move_id ? runs.shift() : undefined;
      return await act?.() ?? { kind: "done" };
    },
  });
  const probed = () => ({ ...world.deps, steps: makeStepTable([probe]) });

  test("stopped with its tries used up, woken, one hiccup: it is tried again and not with a person", async () => {
    runs = [flaky];
    const id = await stopped();
    await act((trx) => wakeTasks(trx, { ids: [id] }));
    await drain(probed());
    expect(await world.task(id)).toMatchObject({
      status: "QUEUED",
      attempts: 1,
      reason_code: "VENDOR_UNANSWERED",
    });
    await world.pass({ hours: 1 });
    await drain(probed());
    expect(await world.task(id)).toMatchObject({ status: "DONE", attempts: 2 });
  });

  test("also where what stopped it was set right at the same moment", async () => {
    runs = [() => {
      throw new Permanent("NO_SHIPPING_ADDRESS", { customer: 7 }, () => Promise.resolve(true));
    }, flaky];
    const id = await given(world.db, { step, data: about, attempts: 20 });
    await drain(probed());
    expect(runs).toEqual([]);
    expect(await world.task(id)).toMatchObject({
      status: "QUEUED",
      attempts: 1,
      reason_code: "VENDOR_UNANSWERED",
    });
  });

  test.each(["renewal.pause_billing", "renewal.advance"])("%s of a renewal that was closed", async (own) => {
    const id = await stopped({ step: own, data: { renewal_id: 7 } });
    const another = await stopped({ step: own, data: { renewal_id: 8 } });
    await act((trx) => wakeRenewalTasks(trx, 7));
    expect(await world.task(id)).toMatchObject({ status: "PENDING", attempts: 0, reason: null });
    expect(await world.task(another)).toMatchObject({ status: "MANUAL_INTERVENTION", attempts: 21 });
  });
});
