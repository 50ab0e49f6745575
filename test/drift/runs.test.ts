import { sql } from "kysely";
import { expect, test } from "vitest";
import { addTask, setStatus, stopped, tasksOf } from "../support/act.ts";
import { makeWorld, type World } from "../support/world.ts";
import { checks, crowd, editPlan, night, rows } from "./support.ts";

/** Does something once, right after the first page of a run was written: the task before it only begins the run. */
function afterFirstPage(world: World, act: () => void): void {
  let settled = 0;
  world.deps.faultPoint = (name) => {
    if (name === "after commit" && ++settled === 2) act();
    return Promise.resolve();
  };
}

async function untilDone(world: World): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await world.drainAll();
    if ((await checks(world))[0]?.["finished"] === true) return;
    await world.pass({ minutes: 20 });
  }
  throw new Error("the run does not come to its end");
}

test("a vendor that is down in the middle of a run: the run goes on where it was, and nothing counts twice", {
  timeout: 120_000,
}, async () => {
  const world = await makeWorld();
  const members = await crowd(world, 250);
  for (const { crmPersonId } of members.slice(0, 3)) editPlan(world, crmPersonId, { plan_state: "paused" });
  afterFirstPage(world, () => {
    world.vendors.stripe.faults.add({ operation: "list customers", kind: "status", status: 503, times: 3 });
    world.vendors.crm.faults.add({ operation: "read people", kind: "lose_answer", times: 2 });
  });
  await addTask(world.db, "drift.customers", {}, "stripe");
  await world.drainAll();
  expect(await checks(world)).toMatchObject([{
    finished: false,
    state: expect.stringMatching(/after 1 pages: /),
  }]);
  expect((await checks(world))[0]?.["task_id"]).not.toBeNull();
  await untilDone(world);
  await world.pass({ minutes: 20 });
  await world.drainAll();
  expect(world.vendors.stripe.faults.met.get("status 503")).toBe(3);
  expect(await checks(world)).toMatchObject([{
    state: "finished: everything wrong is repaired",
    seen: 250 * 5,
    missing: 3,
    repaired: 3,
  }]);
  expect(await rows(world, "select pages from tracker.check_runs")).toEqual([{ pages: 4 }]);
  expect(await stopped(world)).toEqual([]);
});

test("a page that a person sends again counts once, and leads to no second run of pages", async () => {
  const world = await makeWorld();
  const members = await crowd(world, 120);
  await night(world);
  const before = await rows(world, "select * from tracker.check_runs order by id");
  const pages = await tasksOf(world, "drift.customers");
  const later = pages.filter(({ data }) => JSON.stringify(data).includes("run_id"));
  expect(later).toHaveLength(3);
  const [member] = members;
  if (member) editPlan(world, member.crmPersonId, { plan_state: "paused" });
  for (const { id } of later) await setStatus(world.db, id, "PENDING");
  await world.drainAll();
  expect(await rows(world, "select * from tracker.check_runs order by id")).toEqual(before);
  expect(await tasksOf(world, "drift.customers")).toHaveLength(pages.length);
  expect(await tasksOf(world, "drift.look")).toEqual([]);
  // The first task is the run itself: sent again, it begins another one.
  await setStatus(world.db, pages[0]?.id ?? 0, "PENDING");
  await world.drainAll();
  expect(await checks(world)).toMatchObject([{ finished: true }, { finished: true }]);
});

test(
  "a run that hangs is seen, is no success when the next one begins, and its pages count nowhere after that",
  {
    timeout: 120_000,
  },
  async () => {
    const world = await makeWorld();
    await crowd(world, 250);
    afterFirstPage(world, () => {
      world.vendors.stripe.faults.add({ operation: "list customers", kind: "status", status: 400, times: 1 });
    });
    await addTask(world.db, "drift.customers", {}, "stripe");
    await world.drainAll();
    const [hangs] = await stopped(world);
    expect(hangs).toMatchObject({ step: "drift.customers", reason_code: "VENDOR_REFUSED" });
    expect(await checks(world)).toMatchObject([{
      finished: false,
      state: expect.stringMatching(/^stopped after 1 pages: /),
      task_id: hangs?.id,
    }]);
    delete world.deps.faultPoint;
    await world.pass({ hours: 24 });
    await night(world);
    expect(await checks(world)).toMatchObject([
      { finished: true, seen: 250 * 5, task_id: null },
      {
        finished: false,
        state: expect.stringMatching(/^not finished: the next run began/),
        task_id: null,
      },
    ]);
    // Its page is not a person's any more.
    expect(await world.task(hangs?.id ?? 0)).toMatchObject({ status: "DONE" });
    expect(await stopped(world)).toEqual([]);
    const before = await rows(world, "select * from tracker.check_runs order by id");
    await setStatus(world.db, hangs?.id ?? 0, "PENDING");
    await world.drainAll();
    expect(await rows(world, "select * from tracker.check_runs order by id")).toEqual(before);
  },
);

test("a page that a person drops stops its run, which says so", async () => {
  const world = await makeWorld();
  await crowd(world, 150);
  afterFirstPage(world, () => {
    world.vendors.stripe.faults.add({ operation: "list customers", kind: "status", status: 400, times: 1 });
  });
  await addTask(world.db, "drift.customers", {}, "stripe");
  await world.drainAll();
  await setStatus(world.db, (await stopped(world))[0]?.id ?? 0, "CANCELLED");
  expect(await checks(world)).toMatchObject([{
    finished: false,
    state: "ended after 1 pages: the task of the next page was cancelled",
    task_id: null,
  }]);
});

test("a night on which the vendor is away is a run without an end, and in the list before it is begun", async () => {
  const world = await makeWorld();
  await crowd(world, 1);
  world.vendors.stripe.faults.add({ operation: "list customers", kind: "status", status: 503 });
  await sql`update clockwork.nightly_work set is_on = step = 'drift.customers', at = '00:00'`.execute(
    world.db,
  );
  await sql`select clockwork.start_nightly_work()`.execute(world.db);
  const [task] = await tasksOf(world, "drift.customers");
  expect(await checks(world)).toMatchObject([{ work: "drift", state: "not begun", task_id: task?.id }]);
  await world.drainAll();
  expect(await checks(world)).toMatchObject([{
    finished: false,
    state: expect.stringMatching(/^waiting after 0 pages: ./),
    task_id: (await tasksOf(world, "drift.customers"))[1]?.id,
  }]);
  world.vendors.stripe.faults.clear();
  await untilDone(world);
  expect(await checks(world)).toMatchObject([{ finished: true }]);
});

test(
  "customers who come, and the page's last one who goes, while it is read: everybody is looked at, and nobody asked about",
  {
    timeout: 120_000,
  },
  async () => {
    const world = await makeWorld();
    const members = await crowd(world, 220);
    const { stripe, login } = world.vendors;
    stripe.outbox.faults.dropped = 1;
    afterFirstPage(world, () => {
      // Newest first: the first page ends with number 120, and ten new ones push everybody on.
      const cursor = members[120];
      if (cursor) stripe.deleteCustomer(cursor.stripeCustomerId);
      for (let n = 0; n < 10; n++) stripe.importCustomer({ email: `late.${n}@example.com` });
    });
    await addTask(world.db, "drift.customers", {}, "stripe");
    await world.drainAll();
    delete world.deps.faultPoint;
    await world.pass({ minutes: 16 });
    await world.drainAll();
    expect(await checks(world)).toMatchObject([{ finished: true, missing: 0 }]);
    expect(await rows(world, "select count(*)::int as looked from tracker.drift_looks")).toEqual([{
      looked: 220,
    }]);
    // Who was deleted had been seen; from the next night on they are missed.
    expect(await stopped(world)).toEqual([]);
    afterFirstPage(world, () => login.deleteUser(members[0]?.loginUserId ?? ""));
    await addTask(world.db, "drift.logins", {}, "login");
    await world.drainAll();
    delete world.deps.faultPoint;
    await world.pass({ minutes: 16 });
    await world.drainAll();
    // One went from the first page, so that one of the second slipped onto it and was on neither: looked at by itself.
    expect(await checks(world, "login")).toMatchObject([{ finished: true, seen: 219, missing: 0 }]);
    expect((await tasksOf(world, "drift.look")).map(({ status }) => status)).toEqual(["DONE"]);
    expect(await stopped(world)).toEqual([]);
  },
);

test("two runs at once: the second takes over, and no difference is written down twice", async () => {
  const world = await makeWorld();
  const [member] = await crowd(world, 150);
  if (member) editPlan(world, member.crmPersonId, { plan_state: "paused" });
  await addTask(world.db, "drift.customers", {}, "stripe");
  await addTask(world.db, "drift.customers", {}, "stripe");
  await world.drainAll();
  await world.pass({ minutes: 16 });
  await world.drainAll();
  expect(await rows(world, "select state from tracker.check_runs order by id")).toEqual([
    { state: "UNFINISHED" },
    { state: "DONE" },
  ]);
  expect(await rows(world, "select attribute from tracker.drift")).toEqual([{ attribute: "plan_state" }]);
  expect(await stopped(world)).toEqual([]);
});
