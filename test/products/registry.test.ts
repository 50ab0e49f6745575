import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/shared/db/database.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

// What may replace what, as the database itself keeps it: people edit these cells.

let database: TestDatabase;
let db: ReturnType<typeof connect>;
beforeAll(async () => {
  database = await createTestDatabase();
  db = connect(database.url, 2);
  await database.pool.query(`
    insert into registry.products (name) values ('One'), ('Two'), ('Three');
    insert into registry.product_keys (system, key, product_id, fills_per_charge)
    select 'stripe_price', lower(name) || '_' || part, id, 1 from registry.products
    cross join unnest(array['a', 'b', 'c']) as part;
    insert into registry.product_keys (system, key, product_id)
    select 'rxnorm', lower(name) || '_code', id from registry.products
  `);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const replace = (key: string, by: string | null, status = "retired") =>
  database.pool.query("update registry.product_keys set status = $3, replaced_by = $2 where key = $1", [
    key,
    by,
    status,
  ]);
const replaceProduct = (name: string, by: string) =>
  database.pool.query(
    `update registry.products set status = 'retired', replaced_by = (select id from registry.products where name = $2)
     where name = $1`,
    [name, by],
  );

describe("a key", () => {
  test("is active when it is added", async () => {
    const { rows } = await database.pool.query(
      "select distinct status, replaced_by from registry.product_keys where key like 'three%'",
    );
    expect(rows).toEqual([{ status: "active", replaced_by: null }]);
  });

  test("that is active is replaced by nothing", async () => {
    await expect(replace("one_a", "one_b", "active")).rejects.toThrow(/only_a_retired_key_is_replaced/);
  });

  test("does not replace itself", async () => {
    await expect(replace("one_a", "one_a")).rejects.toThrow(/replace itself|no_key_replaces_itself/);
  });

  test("is replaced by a key there is, of the same system", async () => {
    await expect(replace("one_a", "nowhere")).rejects.toThrow(/a_key_is_replaced_by_one_of_its_system/);
    await expect(replace("one_a", "one_code")).rejects.toThrow(/a_key_is_replaced_by_one_of_its_system/);
  });

  test("is never replaced by a key of another product, not even in two steps", async () => {
    await expect(replace("one_a", "two_a")).rejects.toThrow(/another medicine needs another prescription/);
    await replace("three_a", "three_b");
    await expect(
      database.pool.query(
        "update registry.product_keys set product_id = (select id from registry.products where name = 'Two') where key = $1",
        ["three_b"],
      ),
    ).rejects.toThrow(/replaces a key of its product/);
    await expect(
      database.pool.query(
        "update registry.product_keys set product_id = (select id from registry.products where name = 'Two') where key = $1",
        ["three_a"],
      ),
    ).rejects.toThrow(/another medicine needs another prescription/);
  });

  test("makes no circle, however long", async () => {
    await replace("one_a", "one_b");
    await replace("one_b", "one_c");
    await expect(replace("one_c", "one_a")).rejects.toThrow(/would replace itself in the end/);
    await replace("one_b", null, "active");
    await replace("one_c", "one_a");
    await expect(replace("one_b", "one_c")).rejects.toThrow(/would replace itself in the end/);
  });

  test("makes no circle when two people edit at once", async () => {
    const clients = [new pg.Client(database.url), new pg.Client(database.url)];
    for (const client of clients) {
      await client.connect();
      onTestFinished(() => client.end());
    }
    const edit = (client: pg.Client | undefined, key: string, by: string) =>
      client?.query(
        "update registry.product_keys set status = 'retired', replaced_by = $2 where key = $1",
        [key, by],
      );
    await Promise.all(clients.map((client) => client.query("begin")));
    await edit(clients[0], "two_a", "two_b");
    const second = edit(clients[1], "two_b", "two_a")?.then(() => clients[1]?.query("commit"));
    const ends = await Promise.allSettled([clients[0]?.query("commit"), second]);
    expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(1);
    const { rows } = await database.pool.query(
      "select key from registry.product_keys where key like 'two%' and replaced_by is not null",
    );
    expect(rows).toHaveLength(1);
  });
});

describe("a product", () => {
  test("that is active is replaced by nothing, and none replaces itself", async () => {
    await expect(
      database.pool.query(
        "update registry.products set replaced_by = (select max(id) from registry.products) where name = 'One'",
      ),
    ).rejects.toThrow(/only_a_retired_product_is_replaced/);
    await expect(replaceProduct("One", "One")).rejects.toThrow(/replace itself/);
  });

  test("makes no circle", async () => {
    await replaceProduct("One", "Two");
    await replaceProduct("Two", "Three");
    await expect(replaceProduct("Three", "One")).rejects.toThrow(/would replace itself in the end/);
  });
});
