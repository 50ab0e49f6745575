import { afterAll, beforeAll, expect, test } from "vitest";
import { register } from "../../scripts/sandbox/clinic.ts";
import { asClockwork, connect, type Database } from "../../src/shared/db/database.ts";
import { type Identified, identify, type Sighting } from "../../src/shared/registry/identify.ts";
import { holderOf } from "../../src/shared/registry/keys.ts";
import { mergeRows } from "../../src/shared/registry/merge.ts";
import { lockKeys } from "../../src/shared/registry/keys.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

// Everything here runs in transactions of its own connections, at the same moment: what two drains, the sign-up and a
// person do to the same customer.

let database: TestDatabase;
let db: Database;
let close: () => Promise<void>;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ db, close } = connect(database.url, 12));
});
afterAll(async () => {
  await close();
  await database.drop();
});

let numbers = 0;
const fresh = (prefix: string) => `${prefix}-${++numbers}`;

const atOnce = (seen: Partial<Sighting> & { key: string }): Promise<Identified> =>
  asClockwork(
    db,
    "test",
    (trx) =>
      identify(trx, { system: "stripe", replaced: [], references: [], emails: [], mayBeNew: true, ...seen }),
  );

const rows = async () =>
  await db.selectFrom("registry.customers").select(["id", "stripe_customer_id"]).where(
    "merged_into",
    "is",
    null,
  )
    .execute();

test("customer.created and its checkout, each twice, without a reference: one row", async () => {
  for (let round = 0; round < 10; round++) {
    const before = (await rows()).length;
    const seen = { key: fresh("cus"), emails: [fresh("at")] };
    const found = await Promise.all([atOnce(seen), atOnce(seen), atOnce(seen), atOnce(seen)]);
    expect(new Set(found.map((one) => "customerId" in one && one.customerId)).size).toBe(1);
    expect(found.filter(({ kind }) => kind === "linked")).toHaveLength(1);
    expect((await rows()).length).toBe(before + 1);
  }
});

test("customer.created names nobody, its checkout names a row: in any order one row has the key", async () => {
  for (let round = 0; round < 10; round++) {
    const key = fresh("cus");
    const customerId = await register(db, { crm_person_id: fresh("person"), email: fresh("ours") });
    const before = (await rows()).length;
    await Promise.all([
      atOnce({ key, emails: [fresh("private")] }),
      atOnce({ key, references: [{ customerId }] }),
      atOnce({ key, emails: [fresh("private")] }),
    ]);
    expect(await holderOf(db, { system: "stripe", key })).toEqual({ customerId, why: null });
    expect((await rows()).length).toBe(before);
  }
});

test("the sign-up registers the very key that an event brings: one row", async () => {
  for (let round = 0; round < 10; round++) {
    const before = (await rows()).length;
    const key = fresh("cus");
    const crm_person_id = fresh("person");
    const [id] = await Promise.all([
      register(db, { crm_person_id, stripe_customer_id: key }),
      atOnce({ key, emails: [fresh("at")] }),
    ]);
    expect(await holderOf(db, { system: "stripe", key })).toEqual({ customerId: id, why: null });
    expect(await holderOf(db, { system: "crm", key: crm_person_id })).toEqual({ customerId: id, why: null });
    expect((await rows()).length).toBe(before + 1);
  }
});

test("two new customers with one email: the one who comes second is a question, never a row", async () => {
  for (let round = 0; round < 10; round++) {
    const emails = [fresh("family")];
    const found = await Promise.all([
      atOnce({ key: fresh("cus"), emails }),
      atOnce({ key: fresh("cus"), emails }),
    ]);
    expect(found.map(({ kind }) => kind).toSorted()).toEqual(["ask", "linked"]);
  }
});

test("an order that is written while its customer is merged is the order of the one who stays", async () => {
  const product = await db.insertInto("registry.products").values({ name: "Tablets" }).returning("id")
    .executeTakeFirstOrThrow();
  for (let round = 0; round < 10; round++) {
    const [from, into] = [
      await register(db, { crm_person_id: fresh("person") }),
      await register(db, { stripe_customer_id: fresh("cus") }),
    ];
    const line = fresh("il");
    const order = (nth: number) =>
      db.transaction().execute((trx) =>
        trx.insertInto("tracker.orders").values({
          customer_id: from,
          product_id: product.id,
          invoice_id: "in_1",
          invoice_line_id: line,
          subscription_id: "sub_1",
          fill_number: nth,
          fill_on: new Date(0),
        }).execute()
      );
    const merge = () =>
      asClockwork(db, "test", async (trx) => {
        await lockKeys(trx);
        await mergeRows(trx, from, into);
      });
    await Promise.all([order(1), order(2), merge(), order(3), order(4)]);
    const orders = await db.selectFrom("tracker.orders").select("customer_id").where(
      "invoice_line_id",
      "=",
      line,
    )
      .execute();
    expect(orders.map(({ customer_id }) => customer_id)).toEqual([into, into, into, into]);
  }
});
