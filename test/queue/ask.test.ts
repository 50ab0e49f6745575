import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { asClockwork, connect, type Database } from "../../src/shared/db/database.ts";
import { answerOf } from "../../src/shared/queue/answers.ts";
import { addNow, ask, type Question } from "../../src/shared/queue/ask.ts";
import { aboutOf, matching } from "../../src/shared/queue/find.ts";
import { reason, type ReasonCode } from "../../src/shared/queue/reasons.ts";
import type { StepName } from "../../src/shared/queue/step-data.ts";
import type { TaskInfo } from "../../src/shared/queue/tasks.ts";
import { wakeTasks } from "../../src/shared/queue/wake.ts";
import { makeStepTable, STEPS } from "../../src/shared/steps/table.ts";
import { addTask, setData, setStatus } from "../support/act.ts";
import { createTestDatabase } from "../support/database.ts";
import { given } from "./support.ts";

const steps = makeStepTable(STEPS);
let db: Database;
let end: () => Promise<void>;
/** The task that asks. */
let task: TaskInfo;
/** Each test asks about an order of its own. */
let order = 0;

beforeAll(async () => {
  const database = await createTestDatabase();
  const connection = connect(database.url);
  db = connection.db;
  end = async () => {
    await connection.close();
    await database.drop();
  };
});
afterAll(() => end());
beforeEach(async () => {
  task = await aTask();
  order += 1;
});

async function aTask(): Promise<TaskInfo> {
  const id = await addTask(db, "owner.check_address", {});
  return { id, step: "owner.check_address", customerId: null, invoiceId: null, createdAt: new Date() };
}

function question(
  { mark = "home", code = "ADDRESS_CHANGED" as "ADDRESS_CHANGED" | "ADDRESS_INCOMPLETE" } = {},
) {
  const person = reason(code, { order, customer: 7 });
  return { step: "order.readdress" as const, data: { order_id: order, mark }, person };
}

type Options = Parameters<typeof ask<"order.readdress">>[3];
const asking = (one: Question<"order.readdress">, options?: Options) =>
  asClockwork(db, "test", (trx) => ask(trx, { task, steps }, one, options));
const asked = async () =>
  await db.selectFrom("clockwork.tasks").selectAll().where("step", "=", "order.readdress")
    .where(sql<boolean>`data ->> 'order_id' = ${String(order)}`).orderBy("id").execute();

async function askAndDrop(): Promise<void> {
  await asking(question());
  const [first] = await asked();
  await setStatus(db, first?.id ?? 0, "CANCELLED");
}

test("a question is a task of the step, born in front of a person, and says what asked it", async () => {
  await asking({ ...question(), invoiceId: "in_1" });
  expect(await asked()).toMatchObject([{
    status: "MANUAL_INTERVENTION",
    vendor: "pharmacy",
    data: { order_id: order, mark: "home" },
    reason_code: "ADDRESS_CHANGED",
    reason: expect.stringContaining(`after order ${order} was placed`),
    invoice_id: "in_1",
    caused_by: task.id,
  }]);
});

test("the same is not asked twice, and something else is", async () => {
  await asking(question());
  await asking(question());
  await asking(question({ mark: "another home" }));
  expect((await asked()).map(({ data }) => data)).toEqual([
    { order_id: order, mark: "home" },
    { order_id: order, mark: "another home" },
  ]);
});

test("another task's question counts, by the attributes that say what is the same", async () => {
  await asking(question());
  task = await aTask();
  await asking(question({ mark: "another home" }), { about: { order_id: order } });
  expect(await asked()).toHaveLength(1);
});

test.each(["PENDING", "QUEUED"] as const)("one that is %s asks by itself", async (status) => {
  await given(db, { step: "order.readdress", data: question().data, status });
  await asking(question());
  expect(await asked()).toHaveLength(1);
});

test("two that settle in one transaction ask once", async () => {
  const another = await aTask();
  await asClockwork(db, "test", async (trx) => {
    await ask(trx, { task, steps }, question());
    await ask(trx, { task: another, steps }, question());
  });
  expect(await asked()).toHaveLength(1);
});

test("a question that somebody dropped stays dropped", async () => {
  await askAndDrop();
  await asking(question());
  await asking(question(), { about: { order_id: order } });
  expect((await asked()).map(({ status }) => status)).toEqual(["CANCELLED"]);
});

test("another reason is another question, and so are other data", async () => {
  await askAndDrop();
  await asking(question({ code: "ADDRESS_INCOMPLETE" }));
  await asking(question({ mark: "another home" }));
  expect(await asked()).toHaveLength(3);
});

test("one that was answered may be asked again", async () => {
  await given(db, { step: "order.readdress", data: question().data, status: "DONE" });
  await asking(question());
  expect(await asked()).toHaveLength(2);
});

test("evenIfCancelled asks anew when its cause comes again, but not while it is open", async () => {
  await askAndDrop();
  await asking(question(), { evenIfCancelled: true });
  await asking(question(), { evenIfCancelled: true });
  expect((await asked()).map(({ status }) => status)).toEqual(["CANCELLED", "MANUAL_INTERVENTION"]);
});

test("an attribute that a person is to fill in does not tell questions apart", async () => {
  const data = { system: "health" as const, key: "patient", customer_id: null };
  const person = reason("PATIENT_OF_NOBODY", { patient: "patient" });
  const asking = () =>
    asClockwork(db, "test", (trx) => ask(trx, { task, steps }, { step: "customer.link", data, person }));
  const links = async () =>
    await db.selectFrom("clockwork.tasks").select("id").where("step", "=", "customer.link").execute();
  await asking();
  const [{ id } = { id: 0 }] = await links();
  await setData(db, id, { ...data, customer_id: 7 });
  await asking();
  await setStatus(db, id, "CANCELLED");
  await asking();
  expect(await links()).toEqual([{ id }]);
});

describe("a question about facts", () => {
  const about = () => ({ order_id: order });
  const askAbout = (facts: string, options?: Options) =>
    asking({ ...question({ mark: facts }), facts }, { about: about(), ...options });
  const answered = (facts: string) => answerOf(db, { step: "order.readdress", about: about(), facts });
  const last = async () => (await asked()).at(-1)?.id ?? 0;
  const give = async (answer: string) =>
    await db.updateTable("clockwork.tasks").set({ answer }).where("id", "=", await last()).execute();
  const news = async () =>
    await asClockwork(db, "test", (trx) => wakeTasks(trx, { step: "order.readdress", about: about() }));
  /** The task runs, and ends or stops. */
  const runs = async (status: "DONE" | "MANUAL_INTERVENTION", code: ReasonCode = "ADDRESS_CHANGED") =>
    await asClockwork(db, "test", async (trx) => {
      const id = await last();
      await sql`update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where id = ${id}`
        .execute(trx);
      await sql`update clockwork.tasks set job_id = null, status = ${status}::clockwork.task_status,
        done_at = case ${status} when 'DONE' then clockwork.now() end, reason = 'Again.', reason_code = ${code}
        where id = ${id}`.execute(trx);
    });

  test("keeps them in its data", async () => {
    await askAbout("re_1:500");
    expect(await asked()).toMatchObject([{ data: { order_id: order, mark: "re_1:500", facts: "re_1:500" } }]);
  });

  test.each([
    ["by an answer that runs it", () => give("new_address"), "new_address"],
    ["by an answer that ends it", () => give("former_address"), "former_address"],
    ["by its status, to run it", async () => await setStatus(db, await last(), "PENDING"), "PENDING"],
    ["by its status, to end it", async () => await setStatus(db, await last(), "CANCELLED"), "CANCELLED"],
  ])("is answered %s, and not asked again", async (_, person, answer) => {
    await askAbout("re_1:500");
    expect(await answered("re_1:500")).toBeUndefined();
    await person();
    if (["PENDING", "new_address"].includes(answer)) await runs("DONE");
    expect(await answered("re_1:500")).toBe(answer);
    await askAbout("re_1:500");
    await askAbout("re_1:500", { evenIfCancelled: true });
    expect(await asked()).toHaveLength(1);
  });

  test("holds for those facts alone, and about that thing alone", async () => {
    await askAbout("re_1:500");
    await give("former_address");
    expect(await answered("re_1:700")).toBeUndefined();
    const elsewhere = { order_id: order + 1000 };
    expect(await answerOf(db, { step: "order.readdress", about: elsewhere, facts: "re_1:500" }))
      .toBeUndefined();
    await askAbout("re_1:700");
    expect((await asked()).map(({ status }) => status)).toEqual(["CANCELLED", "MANUAL_INTERVENTION"]);
    await give("new_address");
    expect([await answered("re_1:500"), await answered("re_1:700")]).toEqual([
      "former_address",
      "new_address",
    ]);
  });

  test("stays answered when its task ran, and was ended for another reason", async () => {
    await askAbout("re_1:500");
    await give("new_address");
    await runs("MANUAL_INTERVENTION", "ALREADY_SHIPPED");
    await give("end");
    expect(await answered("re_1:500")).toBe("end");
    await askAbout("re_1:500");
    expect(await asked()).toHaveLength(1);
  });

  test("shows other facts in its row while it is open, and nobody answers the former ones", async () => {
    await askAbout("re_1:500");
    await asking({
      ...question({ mark: "new" }),
      facts: "re_2:300",
      person: reason("ADDRESS_CHANGED", { order, customer: 9 }),
    }, {
      about: about(),
    });
    expect(await asked()).toMatchObject([{
      status: "MANUAL_INTERVENTION",
      data: { order_id: order, mark: "new", facts: "re_2:300" },
      reason: expect.stringContaining("customer 9"),
    }]);
    await give("former_address");
    expect([await answered("re_1:500"), await answered("re_2:300")]).toEqual([undefined, "former_address"]);
  });

  test("is not replaced by the same facts, nor is a row for another reason", async () => {
    await askAbout("re_1:500");
    const before = await asked();
    await askAbout("re_1:500");
    await asking({ ...question({ code: "ADDRESS_INCOMPLETE" }), facts: "re_2:300" }, { about: about() });
    expect(await asked()).toEqual(before);
  });

  test("that news ended was not answered: it is asked again when its cause comes again", async () => {
    await askAbout("re_1:500");
    await news();
    await runs("DONE");
    expect(await answered("re_1:500")).toBeUndefined();
    await askAbout("re_1:500");
    expect((await asked()).map(({ status }) => status)).toEqual(["DONE", "MANUAL_INTERVENTION"]);
  });

  test("that its task asks again is open again, and what news does then is no answer", async () => {
    await askAbout("re_1:500");
    await give("new_address");
    await runs("MANUAL_INTERVENTION");
    expect(await answered("re_1:500")).toBeUndefined();
    await news();
    expect(await answered("re_1:500")).toBeUndefined();
  });

  test("whose end was taken back is answered by that", async () => {
    await askAbout("re_1:500");
    await give("former_address");
    await setStatus(db, await last(), "PENDING");
    expect(await answered("re_1:500")).toBe("PENDING");
  });

  test("is asked once by two transactions at the same time", async () => {
    let goOn = () => {};
    const isAsked = Promise.withResolvers<void>();
    const first = asClockwork(db, "test", async (trx) => {
      await ask(trx, { task, steps }, { ...question(), facts: "re_1:500" }, { about: about() });
      isAsked.resolve();
      await new Promise<void>((resolve) => goOn = resolve);
    });
    await isAsked.promise;
    const second = askAbout("re_1:500");
    await expect.poll(async () =>
      (await sql`select from pg_locks where locktype = 'advisory' and not granted`.execute(db)).rows.length
    ).toBe(1);
    goOn();
    await Promise.all([first, second]);
    expect(await asked()).toHaveLength(1);
  });

  test("finds its answers by an index, however many tasks ended", async () => {
    const { rows } = await db.transaction().execute(async (trx) => {
      await sql`set local enable_seqscan = off`.execute(trx);
      return await sql<{ "QUERY PLAN": string }>`explain select id from clockwork.tasks
        where ${
        matching<StepName>({ step: "order.readdress", about: { ...aboutOf(about()), facts: "re_1:500" } })
      }
          and status <> 'MANUAL_INTERVENTION'`.execute(trx);
    });
    expect(rows.map((row) => row["QUERY PLAN"]).join()).toContain("tasks_by_facts");
  });
});

test("follow-ups that are added at once go on counting, so that none is swallowed", async () => {
  const look = { step: "renewal.check" as const, data: { subscription_id: "sub_1" } };
  await asClockwork(db, "test", async (trx) => {
    await addNow(trx, { task, steps }, [look, look]);
    await addNow(trx, { task, steps }, [look]);
  });
  const added = await db.selectFrom("clockwork.tasks").select("key").where("caused_by", "=", task.id)
    .orderBy("id").execute();
  expect(added.map(({ key }) => key)).toEqual([1, 2, 3].map((n) => `${task.id}:${n}`));
});
