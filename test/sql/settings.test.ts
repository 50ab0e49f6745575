import { describe, expect, test } from "vitest";
import { one, sqlForTest } from "./support.ts";

describe("clockwork.now()", () => {
  const GAP = "select clockwork.now() - now() = interval '5 days' as moved, clockwork.now() = now() as real";

  test("is moved by the setting on the local server", async () => {
    const sql = await sqlForTest();
    expect(await one(sql.person, GAP)).toEqual({ moved: false, real: true });
    await sql.person("update clockwork.settings set clock_offset = interval '5 days'");
    expect(await one(sql.person, GAP)).toEqual({ moved: true, real: false });
    await sql.person("update clockwork.settings set clock_offset = interval '-1 hour'");
    expect(await one(sql.person, "select now() - clockwork.now() = interval '1 hour' as back")).toEqual({
      back: true,
    });
  });

  test.each(["off", "", "On ", "true"])("is the real time where clockwork.local is %j", async (value) => {
    const sql = await sqlForTest();
    await sql.person("update clockwork.settings set clock_offset = interval '5 days'");
    const seen = await sql.undone(async (run) => {
      await run("select set_config('clockwork.local', $1, true)", [value]);
      return await one(run, GAP);
    });
    expect(seen).toEqual({ moved: false, real: true });
  });

  test("stands still within a transaction", async () => {
    const sql = await sqlForTest();
    const moments = await sql.undone(async (run) => [
      await one(run, "select clockwork.now() as at"),
      await one(run, "select clockwork.now() as at"),
    ]);
    expect(moments[0]).toEqual(moments[1]);
  });
});

describe("clockwork.settings", () => {
  test("is one row, filled from the start", async () => {
    const sql = await sqlForTest();
    expect(await sql.person("select only_row, maintenance, pharmacy_time_zone from clockwork.settings"))
      .toEqual([
        { only_row: true, maintenance: false, pharmacy_time_zone: "America/New_York" },
      ]);
    await expect(sql.person("insert into clockwork.settings default values")).rejects.toMatchObject({
      code: "23505",
    });
    await expect(sql.person("insert into clockwork.settings (only_row) values (false)")).rejects
      .toMatchObject({
        constraint: "settings_is_one_row",
      });
    await expect(sql.person("insert into clockwork.settings (only_row) values (null)")).rejects.toThrow();
  });

  test("its one row cannot be removed, for everything reads it", async () => {
    const sql = await sqlForTest();
    await expect(sql.person("delete from clockwork.settings")).rejects.toMatchObject({ code: "23514" });
    await expect(sql.person("truncate clockwork.settings")).rejects.toMatchObject({ code: "23514" });
    // Without it no drain starts, and the views that join it are empty: a stop that nobody sees.
    expect(await sql.person("select vendor from ops.vendors")).toHaveLength(6);
  });
});

describe("clockwork.reason_text()", () => {
  test.each([
    [
      "UNKNOWN_PRODUCT",
      { system: "stripe_price", key: "price_1" },
      "No product has the stripe_price price_1.",
    ],
    ["UNKNOWN_PRODUCT", { key: "price_1" }, "No product has the - price_1."],
    ["UNKNOWN_PRODUCT", { system: null, key: 7 }, "No product has the - 7."],
    ["UNKNOWN_PRODUCT", {}, "No product has the - -."],
    ["UNKNOWN_PRODUCT", null, "No product has the - -."],
    ["UNKNOWN_PRODUCT", { system: "crm", key: "k", other: "unused" }, "No product has the crm k."],
    [
      "UNREADABLE_EVENT",
      { source: "stripe", bytes: 12, sha256: "ab12" },
      "stripe sent a signed message that cannot be read (12 bytes, SHA-256 ab12).",
    ],
    ["NO_SUCH_REASON", { a: 1 }, null],
    [null, { a: 1 }, null],
  ])("%s with %j", async (code, details, text) => {
    const sql = await sqlForTest();
    expect(
      await one(sql.person, "select clockwork.reason_text($1, $2::jsonb) as text", [
        code,
        details && JSON.stringify(details),
      ]),
    ).toEqual({ text });
  });

  test("a detail is text, never a pattern", async () => {
    const sql = await sqlForTest();
    expect(
      await one(sql.person, "select clockwork.reason_text('UNKNOWN_PRODUCT', $1) as text", [
        JSON.stringify({ system: "a\\1b", key: "50% & more" }),
      ]),
    ).toEqual({ text: "No product has the a\\1b 50% & more." });
  });

  test("every catalogued reason is a whole sentence with a repair and a word on the resend", async () => {
    const sql = await sqlForTest();
    const rows = await sql.person(
      `select code from clockwork.reasons
       where sentence !~ '^[A-Z{].*\\.$' or repair !~ '^[A-Z].*\\.$' or on_resend !~ '^[A-Z].*\\.$'
         or clockwork.reason_text(code, '{}') ~ '[{}]' or code !~ '^[A-Z_]+$'`,
    );
    expect(rows).toEqual([]);
  });
});

describe("clockwork.vendors", () => {
  test("has a row for every queue", async () => {
    const sql = await sqlForTest();
    expect((await sql.person("select vendor from clockwork.vendors order by 1")).map((row) => row["vendor"]))
      .toEqual(["crm", "health", "internal", "login", "pharmacy", "stripe"]);
  });

  test.each([
    ["a_lease_has_an_end", "leased_by = gen_random_uuid()"],
    ["a_lease_has_an_end", "leased_until = clockwork.now()"],
    ["rate_is_positive", "rate_per_second = 0"],
    ["concurrency_is_positive", "concurrency = 0"],
  ])("%s refuses %s", async (constraint, change) => {
    const sql = await sqlForTest();
    await expect(sql.person(`update clockwork.vendors set ${change} where vendor = 'crm'`)).rejects
      .toMatchObject({
        constraint,
      });
  });

  test("a person pauses a vendor with one cell, the pause says why all the same, and one cell ends it", async () => {
    const sql = await sqlForTest();
    const pause =
      "update clockwork.vendors set paused_until = clockwork.now() + interval '1 hour' where vendor = 'crm'";
    await sql.person(pause);
    const read = () => sql.person("select paused_reason from ops.vendors where vendor = 'crm'");
    expect(await read()).toEqual([{ paused_reason: "paused by a person" }]);
    await sql.person("update clockwork.vendors set paused_reason = 'Their audit.' where vendor = 'crm'");
    expect(await read()).toEqual([{ paused_reason: "Their audit." }]);
    await sql.person("update clockwork.vendors set paused_until = null where vendor = 'crm'");
    expect(await sql.person("select paused_until, paused_reason from clockwork.vendors where vendor = 'crm'"))
      .toEqual([{ paused_until: null, paused_reason: null }]);
  });

  test("work that a pause or maintenance holds is in ops.waiting, with the reason", async () => {
    const sql = await sqlForTest();
    await sql.person(
      "insert into clockwork.tasks (step, vendor, data) values ('order.tell_crm', 'crm', '{}')",
    );
    const why = async () => (await sql.person("select why from ops.waiting")).map((row) => row["why"]);
    expect(await why()).toEqual([]);
    await sql.person(
      "update clockwork.vendors set paused_until = clockwork.now() + interval '1 hour' where vendor = 'crm'",
    );
    expect(await why()).toEqual(["crm is paused: paused by a person"]);
    await sql.person("update clockwork.settings set maintenance = true");
    expect(await why()).toEqual(["Maintenance is on."]);
  });

  test.each(["clockwork.reasons", "clockwork.task_moves", "tracker.order_states"])(
    "what %s says cannot be removed",
    async (table) => {
      const sql = await sqlForTest();
      await expect(sql.person(`delete from ${table}`)).rejects.toThrow(`Rows of ${table} are never removed.`);
    },
  );
});

describe("registry", () => {
  test.each(["stripe_customer_id", "health_patient_id", "pharmacy_patient_id", "crm_person_id"])(
    "no two customers share a %s, and many have none",
    async (column) => {
      const sql = await sqlForTest();
      await sql.person(
        "insert into registry.customers default values; insert into registry.customers default values",
      );
      await sql.person(`insert into registry.customers (${column}) values ('same')`);
      await expect(sql.person(`insert into registry.customers (${column}) values ('same')`)).rejects
        .toMatchObject({
          constraint: `customers_${column}_key`,
        });
    },
  );

  test.each([
    ["a_stripe_price_says_how_many_fills_it_pays_for", "'stripe_price', 'price_1', null"],
    ["a_stripe_price_says_how_many_fills_it_pays_for", "'rxnorm', '1000001', 1"],
    ["fills_per_charge_is_not_negative", "'stripe_price', 'price_1', -1"],
  ])("%s refuses (%s)", async (constraint, values) => {
    const sql = await sqlForTest();
    await sql.person("insert into registry.products (name) values ('Tablets')");
    await expect(
      sql.person(
        `insert into registry.product_keys (system, key, fills_per_charge, product_id)
         select ${values}, id from registry.products`,
      ),
    ).rejects.toMatchObject({ constraint });
  });

  test("a key stands for one product; a system that is none is refused", async () => {
    const sql = await sqlForTest();
    await sql.person("insert into registry.products (name) values ('Tablets'), ('Pen')");
    const add = (system: string) =>
      sql.person(
        `insert into registry.product_keys (system, key, product_id)
         select '${system}', 'same', max(id) from registry.products`,
      );
    await add("rxnorm");
    await expect(add("rxnorm")).rejects.toMatchObject({ code: "23505" });
    await add("crm");
    await expect(add("fax")).rejects.toThrow(/invalid input value for enum registry.key_system/);
    await expect(sql.person("insert into registry.products (name) values ('Pen')")).rejects.toMatchObject({
      code: "23505",
    });
  });
});
