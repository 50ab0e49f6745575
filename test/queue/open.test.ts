import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Database } from "../../src/shared/db/database.ts";
import { type About, findEvents, findTasks, hasTask, type Which } from "../../src/shared/queue/find.ts";
import { countEvents, stepsUnderWay } from "../../src/shared/queue/history.ts";
import { hasOpenTask, noneOpen, openTasks, unlessOpen } from "../../src/shared/queue/open.ts";
import { type FollowUp, reason } from "../../src/shared/queue/reasons.ts";
import { insertTasks } from "../../src/shared/queue/tasks.ts";
import type { StepName } from "../../src/shared/queue/step-data.ts";
import { createTestDatabase } from "../support/database.ts";
import { given } from "./support.ts";

let db: Database;
let end: () => Promise<void>;
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

const STATUSES = ["PENDING", "QUEUED", "DONE", "MANUAL_INTERVENTION", "PARKED", "CANCELLED"] as const;
const ids = async <Name extends StepName>(which: Which<Name>) =>
  (await findTasks(db, which)).map(({ id }) => id);

describe("what is open", () => {
  test("due, at work and in front of a person are open; ended, dropped and parked are not", async () => {
    const step = "product.move_subscription";
    const open: string[] = [];
    for (const [move_id, status] of STATUSES.entries()) {
      await given(db, { step, status, data: { move_id } });
      if (await hasOpenTask(db, { step, about: { move_id } })) open.push(status);
    }
    expect(open).toEqual(["PENDING", "QUEUED", "MANUAL_INTERVENTION"]);
    expect((await openTasks(db, { step })).map(({ status }) => status)).toEqual(open);
    expect(await hasOpenTask(db, { step, about: { move_id: 0 }, status: "QUEUED" })).toBe(false);
    expect(await hasTask(db, { step, about: { move_id: 2 } })).toBe(true);
  });

  test("a task is told with its reason code and its data", async () => {
    const data = { customer_id: 7, product_id: 1, prescription_id: "rx", despite_earlier: true };
    const id = await given(db, {
      step: "subscription.start",
      status: "MANUAL_INTERVENTION",
      code: "CARD_DECLINED",
      data,
      invoiceId: "in_told",
    });
    expect(await openTasks(db, { step: "subscription.start" })).toEqual([{
      id,
      step: "subscription.start",
      status: "MANUAL_INTERVENTION",
      reason: "It says CARD_DECLINED.",
      reasonCode: "CARD_DECLINED",
      data,
      customerId: null,
      invoiceId: "in_told",
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    }]);
  });

  test("a follow-up is asked for unless one is open for the same", async () => {
    const data = { customer_id: 7 };
    const look: FollowUp = { step: "subscription.look", data };
    expect(await unlessOpen(db, look)).toEqual([look]);
    await given(db, { step: look.step, data: { customer_id: 8 } });
    await given(db, { step: look.step, data, status: "DONE" });
    expect(await unlessOpen(db, look)).toEqual([look]);
    await given(db, { step: look.step, data, status: "QUEUED" });
    expect(await unlessOpen(db, look)).toEqual([]);
    expect(await unlessOpen(db, look, "PENDING")).toEqual([look]);
  });

  test("noneOpen leaves out the rows of another table for which a task is open", async () => {
    await db.insertInto("registry.products").values([{ name: "rx:one" }, { name: "rx:two" }]).execute();
    await given(db, {
      step: "renewal.check",
      data: { subscription_id: "rx:one" },
      status: "MANUAL_INTERVENTION",
    });
    await given(db, { step: "renewal.check", data: { subscription_id: "rx:two" }, status: "CANCELLED" });
    const rows = await db.selectFrom("registry.products").select("name").where("name", "like", "rx:%")
      .where(noneOpen("renewal.check", "subscription_id", "registry.products.name")).execute();
    expect(rows).toEqual([{ name: "rx:two" }]);
  });
});

describe("tasks are found by", () => {
  test("attributes of their data: a number and its text are the same, a list means any of its values", async () => {
    const step = "order.tell_crm";
    const one = await given(db, { step, data: { order_id: 1, fact: "order_placed" } });
    const text = await given(db, { step, data: { order_id: "1", fact: "order_shipped" } });
    const two = await given(db, { step, data: { order_id: 2, fact: "order_placed" } });
    const by = (about: About<typeof step>) => ids({ step, about });
    expect(await by({ order_id: 1 })).toEqual([one, text]);
    expect(await by({ order_id: [1, 2], fact: "order_placed" })).toEqual([one, two]);
    expect(await by({ order_id: 3 })).toEqual([]);
    expect(await by({ order_id: [] })).toEqual([]);
    expect(await hasTask(db, { step, about: { order_id: [] } })).toBe(false);
  });

  test("an attribute that they have, their step, their reason, the task that asked for them", async () => {
    const cause = await given(db, { step: "drift.customers", data: { run_id: 7 } });
    const found = await given(db, {
      step: "drift.logins",
      status: "CANCELLED",
      code: "CARD_DECLINED",
      causedBy: cause,
      invoiceId: "in_found",
    });
    const step = ["drift.customers", "drift.logins"] as const;
    expect(await ids({ step })).toEqual([cause, found]);
    expect(await ids({ step, has: "run_id" })).toEqual([cause]);
    expect(await ids({ step, except: cause })).toEqual([found]);
    expect(await ids({ step, reasonCode: ["CARD_DECLINED", "NO_PAYMENT_METHOD"] })).toEqual([found]);
    expect(await ids({ causedBy: cause })).toEqual([found]);
    expect(await ids({ invoiceId: ["in_found", "in_other"] })).toEqual([found]);
  });

  test("this very reason, with its details", async () => {
    const why = reason("CARD_DECLINED", { customer: 7, product: 1, code: "expired_card" });
    const [id] = await insertTasks(db, [{
      step: "customer.linked",
      key: "1",
      vendor: "internal",
      data: { customer_id: 7 },
      status: "MANUAL_INTERVENTION",
      reason: why,
    }]);
    expect(await ids({ step: "customer.linked", reason: why })).toEqual([id]);
    const another = reason("CARD_DECLINED", { customer: 8, product: 1, code: "expired_card" });
    expect(await ids({ step: "customer.linked", reason: another })).toEqual([]);
  });

  test("the beginning of an event's name, whether it has a step or not", async () => {
    const known = await given(db, {
      step: "pharmacy.order.placed",
      data: { order_id: "ord_7" },
      status: "DONE",
    });
    const unknown = await given(db, {
      step: "pharmacy.order.lost",
      data: { order_id: "ord_7" },
      status: "PARKED",
    });
    await given(db, { step: "pharmacy.orders", data: { order_id: "ord_7" } });
    await given(db, { step: "pharmacy.order.placed", data: { order_id: "ord_8" } });
    const found = await findEvents(db, "pharmacy.order.", { order_id: ["ord_7", "ord_9"] });
    expect(found.map(({ id }) => id)).toEqual([known, unknown]);
  });
});

describe("what happened", () => {
  test("events are counted by their step: those heard since a moment, those that a run found", async () => {
    const before = await given(db, { step: "stripe.invoice.paid" });
    const { created_at: since } = await db.selectFrom("clockwork.tasks").select("created_at")
      .where("id", "=", before).executeTakeFirstOrThrow();
    const page = await given(db, { step: "completeness.stripe", data: { run_id: 7 } });
    const another = await given(db, { step: "completeness.stripe", data: { run_id: 8 } });
    await given(db, { step: "stripe.invoice.paid" });
    await given(db, { step: "stripe.charge.refunded" });
    await given(db, { step: "stripe.charge.refunded", causedBy: page });
    await given(db, { step: "stripe.charge.refunded", causedBy: another });
    await given(db, { step: "health.patient.create", causedBy: page });
    expect(Object.fromEntries(await countEvents(db, "stripe", { since })))
      .toEqual({ "stripe.invoice.paid": 2, "stripe.charge.refunded": 1 });
    const later = new Date(since.getTime() + 600_000);
    expect(await countEvents(db, "stripe", { since: later })).toEqual(new Map());
    const foundBy = { step: "completeness.stripe", about: { run_id: 7 } } as const;
    expect(Object.fromEntries(await countEvents(db, "stripe", { foundBy })))
      .toEqual({ "stripe.charge.refunded": 1 });
  });

  test("steps under way for a customer: as its own, by customer_id, or by any of its keys", async () => {
    const { id: customerId } = await db.insertInto("registry.customers").values({ email: "a@b.example" })
      .returning("id").executeTakeFirstOrThrow();
    await given(db, { step: "under.own", customerId });
    await given(db, { step: "under.data", data: { customer_id: customerId }, status: "QUEUED" });
    await given(db, { step: "under.key", data: { stripe_customer: "cus_7" } });
    await given(db, { step: "under.stopped", customerId, status: "MANUAL_INTERVENTION" });
    await given(db, { step: "under.unasked", customerId });
    await given(db, { step: "under.other", data: { stripe_customer: "cus_8" } });
    const steps = ["own", "data", "key", "stopped", "other"].map((name) => `under.${name}`);
    expect([...await stepsUnderWay(db, steps, { customerId, keys: ["cus_7"] })].sort())
      .toEqual(["under.data", "under.key", "under.own"]);
  });
});
