import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { asClockwork, connect, type Database } from "../../src/shared/db/database.ts";
import { addNow, ask, type Question } from "../../src/shared/queue/ask.ts";
import { reason } from "../../src/shared/queue/reasons.ts";
import type { TaskInfo } from "../../src/shared/queue/tasks.ts";
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
