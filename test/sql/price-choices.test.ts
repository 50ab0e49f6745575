import { beforeEach, describe, expect, test } from "vitest";
import type { TrackerFirstPrescriptionsFinding } from "../../src/shared/db/types.ts";
import { type Sql, sqlForTest } from "./support.ts";

/** Whether each goes with a subscription. The compiler asks for every finding that the database knows. */
const FIRST_FINDINGS: Record<TrackerFirstPrescriptionsFinding, { subscribed: boolean }> = {
  NO_PRICE: { subscribed: false },
  STARTING: { subscribed: false },
  STARTED: { subscribed: true },
  SUBSCRIBED: { subscribed: true },
  ENDED: { subscribed: false },
};

let sql: Sql;
beforeEach(async () => {
  sql = await sqlForTest();
  await sql.person(
    `insert into registry.customers (email, health_patient_id) values ('a@example.com', 'pat-1'), (null, null)`,
  );
  await sql.person("insert into registry.products (name) values ('Tablets'), ('Pen')");
  await sql.person(`insert into registry.product_keys (system, key, product_id, fills_per_charge) values
    ('stripe_price', 'price_month', 1, 1), ('stripe_price', 'price_quarter', 1, 3), ('stripe_price', 'price_pen', 2, 1),
    ('stripe_price', 'price_fee', 1, 0), ('rxnorm', '77', 1, null)`);
});

const looks = () =>
  sql.person(
    `select status, vendor, customer_id, data from clockwork.tasks where step = 'subscription.look' order by id`,
  );
const refusal = (constraint: string) => ({ constraint });

describe("a default price", () => {
  const set = (key: string, value = true) =>
    sql.person("update registry.product_keys set is_default = $2 where key = $1", [key, value]);

  test("is one Stripe price a product, and pays for fills", async () => {
    await set("price_month");
    await set("price_pen");
    await expect(set("price_quarter")).rejects.toMatchObject(refusal("one_default_price_a_product"));
    await expect(set("77")).rejects.toMatchObject(refusal("only_a_stripe_price_is_a_default"));
    await set("price_month", false);
    await expect(set("price_fee")).rejects.toMatchObject(refusal("a_default_price_pays_for_fills"));
    await set("price_quarter");
  });
});

describe("registry.choose_price", () => {
  const choose = (price: string, customer = 1) =>
    sql.person("select (registry.choose_price($1, $2)).*", [customer, price]);

  test("keeps one choice per customer and product, the last one", async () => {
    expect(await choose("price_month")).toMatchObject([{
      customer_id: "1",
      product_id: "1",
      price: "price_month",
    }]);
    await choose("price_quarter");
    await choose("price_pen");
    expect(await sql.person("select product_id, price from registry.price_choices order by 1")).toEqual([
      { product_id: "1", price: "price_quarter" },
      { product_id: "2", price: "price_pen" },
    ]);
  });

  test("refuses a price in no product, one that pays for no fills, and a customer who is not there", async () => {
    await expect(choose("price_none")).rejects.toThrow("No product has the stripe_price price_none.");
    await expect(choose("77")).rejects.toThrow("No product has the stripe_price 77.");
    await expect(choose("price_fee")).rejects.toThrow("pays for no fills");
    await expect(choose("price_month", 99)).rejects.toMatchObject({ code: "23503" });
  });

  test("asks for a look at the customer's prescriptions when the choice is new or another, and only then", async () => {
    await choose("price_month");
    expect(await looks()).toEqual([
      { status: "PENDING", vendor: "health", customer_id: "1", data: { customer_id: 1 } },
    ]);
    await choose("price_month");
    expect(await looks()).toHaveLength(1);
    await choose("price_quarter");
    expect(await looks()).toHaveLength(2);
  });
});

describe("registry.price_choices in the table editor", () => {
  const insert = (product: number, price: string) =>
    sql.person("insert into registry.price_choices (customer_id, product_id, price) values (1, $1, $2)", [
      product,
      price,
    ]);

  test("takes only a price of that product", async () => {
    await expect(insert(2, "price_month")).rejects.toMatchObject(
      refusal("a_chosen_price_is_one_of_that_product"),
    );
    await insert(1, "price_month");
    await expect(insert(1, "price_quarter")).rejects.toMatchObject(refusal("price_choices_pkey"));
    await sql.person("update registry.price_choices set price = 'price_quarter'");
    await expect(sql.person("update registry.price_choices set system = 'rxnorm'")).rejects.toMatchObject(
      refusal("a_choice_is_of_a_stripe_price"),
    );
    expect(await looks()).toHaveLength(2);
  });

  test("follows a price whose product is corrected, and keeps its key from being deleted", async () => {
    await insert(1, "price_month");
    await sql.person("update registry.product_keys set product_id = 2 where key = 'price_month'");
    expect(await sql.person("select product_id from registry.price_choices")).toEqual([{ product_id: "2" }]);
    await expect(sql.person("delete from registry.product_keys where key = 'price_month'")).rejects
      .toMatchObject(refusal("a_chosen_price_is_one_of_that_product"));
    await sql.person("delete from registry.price_choices");
  });
});

describe("a patient that is linked", () => {
  const link = (patient: string | null) =>
    sql.person("update registry.customers set health_patient_id = $1 where id = 2", [patient]);

  test("is looked at where something is sold by prescription", async () => {
    await link("pat-2");
    expect(await looks(), "nothing is").toEqual([]);
    await sql.person("update registry.product_keys set is_default = true where key = 'price_pen'");
    await link("pat-2");
    expect(await looks(), "it was linked already").toEqual([]);
    await link("pat-3");
    expect(await looks()).toMatchObject([{ customer_id: "2" }]);
    await link(null);
    await sql.person("insert into registry.customers (health_patient_id) values ('pat-9'), (null)");
    expect((await looks()).map((row) => row["customer_id"])).toEqual(["2", "3"]);
  });

  test("is looked at where they chose a price, whatever the defaults", async () => {
    await sql.person("select registry.choose_price(2, 'price_pen')");
    await link("pat-2");
    expect(await looks()).toHaveLength(2);
  });
});

describe("tracker.first_prescriptions", () => {
  test("knows the findings of the code, and a subscription where there is one", async () => {
    for (const [index, [finding, { subscribed: hasOne }]] of Object.entries(FIRST_FINDINGS).entries()) {
      const insert = (subscription: string | null) =>
        sql.person(
          `insert into tracker.first_prescriptions (customer_id, product_id, finding, prescription_id, subscription_id)
           values ($1, $2, $3, 'rx', $4)`,
          [1 + (index % 2), 1 + Math.floor(index / 2) % 2, finding, subscription],
        );
      await expect(insert(hasOne ? null : "sub_1")).rejects.toMatchObject(
        refusal("only_a_subscribed_customer_has_a_subscription"),
      );
      await insert(hasOne ? "sub_1" : null);
      await sql.person("delete from tracker.first_prescriptions");
    }
    await expect(
      sql.person(
        `insert into tracker.first_prescriptions (customer_id, product_id, finding, prescription_id) values (1, 1, 'HM', 'rx')`,
      ),
    ).rejects.toMatchObject(refusal("first_prescription_finding_is_known"));
  });
});

describe("clockwork.settings.subscription_wait", () => {
  test("is short, and never negative", async () => {
    const set = (wait: string) => sql.person("update clockwork.settings set subscription_wait = $1", [wait]);
    await set("0");
    await set("2 hours");
    for (const wait of ["-1 second", "8 days"]) {
      await expect(set(wait)).rejects.toMatchObject(refusal("subscription_wait_is_sane"));
    }
  });
});
