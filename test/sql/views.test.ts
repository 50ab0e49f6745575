import { describe, expect, test } from "vitest";
import { customerAndProduct, one, orderIn, type Row, type Sql, sqlForTest, taskIn } from "./support.ts";

// Rows made by hand: one view, one fact at a time. views-in-a-run.test.ts looks at them after real work.

async function passes(sql: Sql, interval: string): Promise<void> {
  await sql.person("update clockwork.settings set clock_offset = clock_offset + $1::interval", [interval]);
}

async function effect(sql: Sql, task: string, state: string, key: string, reference: string | null = null) {
  await sql.machinery(
    `insert into clockwork.effects (vendor, operation, key, task_id, state, reference, settled_at)
     values ('pharmacy', 'create order', $1, $2, $3, $4, case when $3 <> 'INTENT' then clockwork.now() end)`,
    [key, task, state, reference],
  );
}

describe("ops.manual_intervention", () => {
  test("is empty while nobody is needed", async () => {
    const sql = await sqlForTest();
    for (const status of ["PENDING", "QUEUED", "DONE", "PARKED", "CANCELLED"] as const) {
      await taskIn(sql.person, status);
    }
    expect(await sql.person("select * from ops.manual_intervention")).toEqual([]);
  });

  test("tells the reason, the repair, what a resend does, the customer and the age", async () => {
    const sql = await sqlForTest();
    const { customer } = await customerAndProduct(sql.person);
    const id = await taskIn(sql.person, "MANUAL_INTERVENTION", {
      reason: "'No product has the stripe_price price_1.'",
      reason_code: "'UNKNOWN_PRODUCT'",
      customer_id: customer,
      data: `'{"object_id": "in_1"}'`,
      invoice_id: "'in_1'",
      attempts: "1",
    });
    await passes(sql, "2 hours");
    const row = await one(
      sql.person,
      "select *, age >= interval '2 hours' and age < interval '2 hours 1 minute' as two_hours from ops.manual_intervention",
    );
    expect(row).toMatchObject({
      task_id: id,
      reason: "No product has the stripe_price price_1.",
      repair: "Add the key to registry.product_keys, then set answer to try_again.",
      on_resend: "Searches for the product again, then goes on.",
      already_done_outside: "nothing",
      customer: "ada@example.com",
      step: "test.step",
      data: { object_id: "in_1" },
      attempts: 1,
      two_hours: true,
    });
  });

  test("tells the choices, or that there are none", async () => {
    const sql = await sqlForTest();
    for (const code of ["PARTIAL_REFUND", "NOT_OURS"]) {
      await taskIn(sql.person, "MANUAL_INTERVENTION", { reason_code: `'${code}'` });
    }
    expect(await sql.person("select choices from ops.manual_intervention order by task_id")).toEqual([
      {
        choices:
          "ship: ship the fills that are not sent / call_off: the fills that are not sent are not sent any more",
      },
      { choices: null },
    ]);
  });

  test("names the customer and the product to which the data leads", async () => {
    const sql = await sqlForTest();
    const ada = await customerAndProduct(sql.person);
    const bob = await customerAndProduct(sql.person, "bob");
    const order = await orderIn(sql.person, "PLACED", bob);
    const { id: renewal } = await one(
      sql.person,
      `insert into tracker.renewals (state, customer_id, product_id, subscription_id, subscription_item_id, prescription_id,
         cause, opened_by, due_on, start_on, next_on)
       values ('SCHEDULED', ${bob.customer}, ${bob.product}, 'sub_1', 'si_1', 'rx_1', 'RUNS_OUT', 'renewal.find',
         clockwork.now(), clockwork.now(), clockwork.now()) returning id`,
    );
    const named: [step: string, data: string, customer: string | null, product: string | null][] = [
      ["order.cancel", `{"order_id": ${order}}`, "bob@example.com", "bob's tablets"],
      ["renewal.advance", `{"renewal_id": ${renewal}}`, "bob@example.com", "bob's tablets"],
      [
        "subscription.start",
        `{"customer_id": ${ada.customer}, "product_id": ${ada.product}}`,
        "ada@example.com",
        "ada's tablets",
      ],
      ["customer.link", `{"customer_id": null}`, null, null],
      // The pharmacy's number of an order, and data as a person may type it.
      ["pharmacy.order.created", `{"order_id": "${order}"}`, null, null],
      ["order.cancel", `{"order_id": 99999999999999999999, "product_id": 1.5}`, null, null],
      ["order.cancel", `{"order_id": [1], "customer_id": "ada"}`, null, null],
    ];
    for (const [step, data] of named) {
      await taskIn(sql.person, "MANUAL_INTERVENTION", { step: `'${step}'`, data: `'${data}'` });
    }
    const shown = await sql.person(
      "select step, customer, product from ops.manual_intervention order by task_id",
    );
    expect(shown).toEqual(named.map(([step, , customer, product]) => ({ step, customer, product })));
    // The task's own customer goes first.
    await taskIn(sql.person, "MANUAL_INTERVENTION", {
      customer_id: ada.customer,
      data: `'{"customer_id": ${bob.customer}}'`,
    });
    expect(
      (await sql.person("select customer, customer_id from ops.manual_intervention order by task_id")).at(-1),
    )
      .toEqual({ customer: "ada@example.com", customer_id: ada.customer });
  });

  test("tells what was done outside in the same story, and no other", async () => {
    const sql = await sqlForTest();
    const story = { invoice_id: "'in_1'" };
    const stopped = await taskIn(sql.person, "MANUAL_INTERVENTION", story);
    const sibling = await taskIn(sql.person, "DONE", story);
    const stranger = await taskIn(sql.person, "DONE", { invoice_id: "'in_2'" });
    const alone = await taskIn(sql.person, "MANUAL_INTERVENTION");
    const aloneToo = await taskIn(sql.person, "DONE");
    await effect(sql, sibling, "CONFIRMED", "il_1:1:1", "ord_1");
    await effect(sql, stopped, "INTENT", "il_1:2:1");
    await effect(sql, stopped, "REFUSED", "il_1:3:1");
    await effect(sql, stranger, "CONFIRMED", "il_2:1:1", "ord_2");
    await effect(sql, aloneToo, "CONFIRMED", "il_3:1:1", "ord_3");
    const rows = await sql.person("select task_id, already_done_outside from ops.manual_intervention");
    expect(Object.fromEntries(rows.map((row) => [row["task_id"], row["already_done_outside"]]))).toEqual({
      [stopped]: "pharmacy: create order ord_1, done; pharmacy: create order il_1:2:1, perhaps done",
      [alone]: "nothing",
    });
  });

  test("counts the age from the last stop, and the oldest comes first", async () => {
    const sql = await sqlForTest();
    const first = await taskIn(sql.person, "MANUAL_INTERVENTION");
    await passes(sql, "1 hour");
    const second = await taskIn(sql.person, "MANUAL_INTERVENTION");
    const ages = () =>
      sql.person(
        "select task_id, round(extract(epoch from age) / 3600)::int as hours from ops.manual_intervention order by age desc",
      );
    expect(await ages()).toEqual([{ task_id: first, hours: 1 }, { task_id: second, hours: 0 }]);
    expect((await sql.person("select task_id from ops.manual_intervention")).map((row) => row["task_id"]))
      .toEqual(
        [first, second],
      );
    // A resend that fails again starts the age anew; an edit of data does not.
    await passes(sql, "3 hours");
    await sql.person(`update clockwork.tasks set status = 'PENDING' where id = ${first}`);
    await sql.machinery(
      `update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where id = ${first}`,
    );
    await sql.machinery(
      `update clockwork.tasks set status = 'MANUAL_INTERVENTION', job_id = null, reason = 'Again.',
         reason_code = 'INTERNAL_ERROR' where id = ${first}`,
    );
    await passes(sql, "1 hour");
    await sql.person(`update clockwork.tasks set data = '{"a": 1}' where id in (${first}, ${second})`);
    expect(await ages()).toEqual([{ task_id: second, hours: 4 }, { task_id: first, hours: 1 }]);
  });
});

describe("ops.waiting", () => {
  test("has what is retried and what waits for its moment, with why, tries and next try", async () => {
    const sql = await sqlForTest();
    const { customer } = await customerAndProduct(sql.person);
    const inAnHour = "clockwork.now() + interval '1 hour'";
    const why = { reason: "'pharmacy did not reply: create order.'", reason_code: "'VENDOR_UNANSWERED'" };
    const retried = await taskIn(sql.person, "QUEUED", {
      ...why,
      attempts: "3",
      run_after: inAnHour,
      customer_id: customer,
    });
    const held = await taskIn(sql.person, "PENDING", {
      reason: "'crm is paused.'",
      reason_code: "'VENDOR_PAUSED'",
    });
    const later = await taskIn(sql.person, "PENDING", { run_after: "clockwork.now() + interval '2 hours'" });
    // Not waiting: due now, running for the first time, or ended.
    await taskIn(sql.person, "PENDING");
    await taskIn(sql.person, "QUEUED");
    for (const status of ["DONE", "MANUAL_INTERVENTION", "PARKED", "CANCELLED"] as const) {
      await taskIn(sql.person, status, { attempts: "2", run_after: inAnHour });
    }
    const rows = await sql.person(
      `select task_id, why, tries, status, customer, round(extract(epoch from next_try - clockwork.now()) / 60)::int as minutes
       from ops.waiting`,
    );
    expect(rows).toEqual([
      { task_id: held, why: "crm is paused.", tries: 0, status: "PENDING", customer: null, minutes: 0 },
      {
        task_id: retried,
        why: "pharmacy did not reply: create order.",
        tries: 3,
        status: "QUEUED",
        customer: "ada@example.com",
        minutes: 60,
      },
      { task_id: later, why: null, tries: 0, status: "PENDING", customer: null, minutes: 120 },
    ]);
  });
});

test("ops.waiting: what is due while its vendor is paused is tried when the pause ends", async () => {
  const sql = await sqlForTest();
  await sql.person(
    `update clockwork.vendors set paused_until = clockwork.now() + interval '20 minutes', paused_reason = 'a move'
     where vendor = 'crm'`,
  );
  const id = await taskIn(sql.person, "PENDING", { vendor: "'crm'" });
  expect(
    await sql.person(
      `select task_id, why, round(extract(epoch from next_try - clockwork.now()) / 60)::int as minutes from ops.waiting`,
    ),
  ).toEqual([{ task_id: id, why: "crm is paused: a move", minutes: 20 }]);
});

describe("ops.timeline", () => {
  const STORY = "select system, what, task_id, order_id from ops.timeline where invoice_id = 'in_1'";

  test("tells a stop, its repair and its end, each at its own moment", async () => {
    const sql = await sqlForTest();
    const id = await taskIn(sql.person, "PENDING", { step: "'stripe.invoice.paid'", invoice_id: "'in_1'" });
    await passes(sql, "1 minute");
    await sql.machinery(
      `update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where id = ${id}`,
    );
    await passes(sql, "1 minute");
    await sql.machinery(
      `update clockwork.tasks set status = 'MANUAL_INTERVENTION', job_id = null, reason = 'Unknown.',
         reason_code = 'UNKNOWN_PRODUCT' where id = ${id}`,
    );
    await passes(sql, "1 hour");
    await sql.person(`update clockwork.tasks set data = '{"a": 1}' where id = ${id}`);
    const minutes = async () =>
      (await sql.person(
        `select what, round(extract(epoch from at - min(at) over ()) / 60)::int as minute
         from ops.timeline where invoice_id = 'in_1'`,
      )).map((row) => `${row["minute"]} ${row["what"]}`);
    // The stop stays where it was when a person edits the row later.
    expect(await minutes()).toEqual([
      "0 came in: stripe.invoice.paid",
      "2 stripe.invoice.paid: MANUAL_INTERVENTION. Unknown.",
      `62 table editor: task ${id} (stripe.invoice.paid) edited data`,
    ]);
    await passes(sql, "1 minute");
    await sql.person(`update clockwork.tasks set status = 'PENDING' where id = ${id}`);
    await passes(sql, "1 minute");
    await sql.machinery(
      `update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where id = ${id}`,
    );
    await sql.machinery(
      `update clockwork.tasks set status = 'DONE', job_id = null, done_at = clockwork.now() where id = ${id}`,
    );
    // Nor is it forgotten once it is repaired.
    expect(await minutes()).toEqual([
      "0 came in: stripe.invoice.paid",
      "2 stripe.invoice.paid: MANUAL_INTERVENTION. Unknown.",
      `62 table editor: task ${id} (stripe.invoice.paid) edited data`,
      `63 table editor: task ${id} (stripe.invoice.paid) from MANUAL_INTERVENTION to PENDING`,
      "64 stripe.invoice.paid: DONE",
    ]);
  });

  test("says why it stopped, also when the last try failed like those before", async () => {
    const sql = await sqlForTest();
    const why = { reason: "'pharmacy did not reply: create order.'", reason_code: "'VENDOR_UNANSWERED'" };
    const id = await taskIn(sql.person, "QUEUED", { step: "'order.place'", invoice_id: "'in_1'" });
    for (const status of ["QUEUED", "MANUAL_INTERVENTION"]) {
      await passes(sql, "1 minute");
      await sql.machinery(
        `update clockwork.tasks set status = '${status}', attempts = attempts + 1, reason = ${why.reason},
           reason_code = ${why.reason_code}, job_id = ${
          status === "QUEUED" ? "job_id" : "null"
        } where id = ${id}`,
      );
    }
    expect((await sql.person(STORY)).map((row) => row["what"])).toEqual([
      "came in: order.place",
      "order.place: QUEUED. pharmacy did not reply: create order.",
      "order.place: MANUAL_INTERVENTION. pharmacy did not reply: create order.",
    ]);
  });

  test("says why a task was stopped from its birth", async () => {
    const sql = await sqlForTest();
    await taskIn(sql.person, "MANUAL_INTERVENTION", {
      step: "'order.replace'",
      invoice_id: "'in_1'",
      reason: "'The parcel of order 1 came back.'",
      reason_code: "'PARCEL_RETURNED'",
    });
    const [born] = await sql.person(STORY);
    expect(born?.["what"]).toMatch(/order\.replace.*MANUAL_INTERVENTION.*The parcel of order 1 came back\./);
  });

  test("tells effects by their outcome and orders by their moments", async () => {
    const sql = await sqlForTest();
    const people = await customerAndProduct(sql.person);
    const task = await taskIn(sql.person, "PENDING", { invoice_id: "'in_1'", step: "'order.place'" });
    const order = await orderIn(sql.person, "READY", people, { invoice_id: "'in_1'" });
    await passes(sql, "1 minute");
    await effect(sql, task, "CONFIRMED", "il_1:1:1", "ord_1");
    await passes(sql, "1 minute");
    await effect(sql, task, "REFUSED", "il_1:2:1");
    await passes(sql, "1 minute");
    await effect(sql, task, "INTENT", "il_1:3:1");
    await passes(sql, "1 minute");
    await sql.machinery(
      `update tracker.orders set cancel_requested_at = clockwork.now(), cancel_cause = 'refunded' where id = ${order}`,
    );
    for (const state of ["CANCELLED", "SHIPPED", "DELIVERED", "RETURNED"]) {
      await passes(sql, "1 minute");
      await sql.machinery(`update tracker.orders set state = '${state}' where id = ${order}`);
    }
    expect((await sql.person(STORY)).map((row) => `${row["system"]}: ${row["what"]}`)).toEqual([
      "order: came in: order.place",
      `order: order ${order} paid for, fill 1`,
      "pharmacy: create order ord_1 done",
      "pharmacy: create order il_1:2:1 refused",
      "pharmacy: create order il_1:3:1 sent, no answer yet",
      `order: order ${order} to be cancelled: refunded`,
      expect.stringContaining(`order ${order} placed`),
      expect.stringContaining(`order ${order} shipped`),
      `order: order ${order} delivered`,
      `order: order ${order} returned`,
    ]);
  });

  test("is one customer's story alone when asked so", async () => {
    const sql = await sqlForTest();
    const ada = await customerAndProduct(sql.person, "ada");
    const bob = await customerAndProduct(sql.person, "bob");
    await orderIn(sql.person, "READY", ada);
    await orderIn(sql.person, "READY", bob);
    await taskIn(sql.person, "PENDING", { customer_id: bob.customer });
    await taskIn(sql.person, "PENDING");
    const by = async (condition: string) =>
      await sql.person(`select customer from ops.timeline where ${condition}`);
    expect(await by("customer = 'ada@example.com'")).toHaveLength(1);
    expect(await by(`customer_id = ${bob.customer}`)).toEqual(
      [{ customer: "bob@example.com" }, { customer: "bob@example.com" }],
    );
  });
});

describe("ops.delayed_shipments", () => {
  async function delayed(sql: Sql): Promise<Row[]> {
    return await sql.person(
      "select order_id, problem, round(extract(epoch from late_by) / 3600)::int as hours from ops.delayed_shipments",
    );
  }

  async function moveTo(sql: Sql, id: string, state: string): Promise<void> {
    await sql.machinery(`update tracker.orders set state = '${state}' where id = ${id}`);
  }

  test("has both kinds, worst first, and by the limits of the settings as they are now", async () => {
    const sql = await sqlForTest();
    const people = await customerAndProduct(sql.person);
    const unshipped = await orderIn(sql.person, "READY", people);
    const undelivered = await orderIn(sql.person, "READY", people);
    await moveTo(sql, unshipped, "PLACED");
    await moveTo(sql, undelivered, "SHIPPED");
    expect(await delayed(sql)).toEqual([]);
    await passes(sql, "2 days 23 hours");
    expect(await delayed(sql)).toEqual([]);
    await passes(sql, "2 hours");
    expect(await delayed(sql)).toEqual([{
      order_id: unshipped,
      problem: "placed but not shipped",
      hours: 1,
    }]);
    await passes(sql, "4 days");
    expect(await delayed(sql)).toEqual([
      { order_id: unshipped, problem: "placed but not shipped", hours: 97 },
      { order_id: undelivered, problem: "shipped but not delivered", hours: 1 },
    ]);
    await sql.person("update clockwork.settings set ship_within = '8 days'");
    expect(await delayed(sql)).toEqual([{
      order_id: undelivered,
      problem: "shipped but not delivered",
      hours: 1,
    }]);
    await sql.person("update clockwork.settings set deliver_within = '1 day', ship_within = '6 days'");
    expect((await delayed(sql)).map((row) => row["order_id"])).toEqual([undelivered, unshipped]);
  });

  test.each([
    ["READY", false],
    ["AWAITING_PRESCRIPTION", false],
    ["AWAITING_SUBSCRIPTION", false],
    ["PLACED", true],
    ["FILLING", true],
    ["FAILED", false],
    ["CANCELLED", false],
    ["SHIPPED", true],
    ["OUT_FOR_DELIVERY", true],
    ["DELIVERED", false],
    ["RETURNED", false],
  ])("%s for a month: %s", async (state, expected) => {
    const sql = await sqlForTest();
    const people = await customerAndProduct(sql.person);
    const id = await orderIn(sql.person, state === "READY" ? "AWAITING_PRESCRIPTION" : "READY", people);
    await moveTo(sql, id, state);
    await passes(sql, "30 days");
    expect(await delayed(sql)).toHaveLength(expected ? 1 : 0);
  });

  test("names the customer and every parcel", async () => {
    const sql = await sqlForTest();
    const people = await customerAndProduct(sql.person);
    const id = await orderIn(sql.person, "READY", people);
    await moveTo(sql, id, "SHIPPED");
    await sql.machinery(
      `insert into tracker.shipments (order_id, state, carrier, tracking_number)
       values (${id}, 'SHIPPED', 'Post', 'T1'), (${id}, 'SHIPPED', 'Courier', 'T2')`,
    );
    await passes(sql, "30 days");
    expect(await one(sql.person, "select customer, tracking, state from ops.delayed_shipments")).toEqual({
      customer: "ada@example.com",
      tracking: "Post T1, Courier T2",
      state: "SHIPPED",
    });
  });
});

describe("ops.vendors", () => {
  async function vendor(sql: Sql, name: string): Promise<Row> {
    return await one(sql.person, "select * from ops.vendors where vendor = $1", [name]);
  }

  test("counts what is due, running, later and stopped, for each queue by itself", async () => {
    const sql = await sqlForTest();
    const at = { vendor: "'pharmacy'" };
    await taskIn(sql.person, "PENDING", at);
    await taskIn(sql.person, "PENDING", { ...at, run_after: "clockwork.now() - interval '10 minutes'" });
    await taskIn(sql.person, "PENDING", { ...at, run_after: "clockwork.now() + interval '1 day'" });
    await taskIn(sql.person, "QUEUED", at);
    await taskIn(sql.person, "MANUAL_INTERVENTION", at);
    for (const status of ["DONE", "PARKED", "CANCELLED"] as const) await taskIn(sql.person, status, at);
    await taskIn(sql.person, "PENDING", { vendor: "'crm'" });
    expect(await vendor(sql, "pharmacy")).toMatchObject({
      due: "2",
      running_or_retrying: "1",
      later: "1",
      manual_intervention: "1",
    });
    expect(
      await one(
        sql.person,
        `select oldest_due_for between interval '10 minutes' and interval '11 minutes' as ten_minutes
         from ops.vendors where vendor = 'pharmacy'`,
      ),
    ).toEqual({ ten_minutes: true });
    expect(await vendor(sql, "crm")).toMatchObject({ due: "1", running_or_retrying: "0" });
    expect(await vendor(sql, "health")).toMatchObject({
      due: "0",
      oldest_due_for: null,
      last_heard_at: null,
    });
  });

  test("says how each stands: well, failing, paused, in maintenance", async () => {
    const sql = await sqlForTest();
    const state = async () => (await vendor(sql, "crm"))["state"];
    expect(await state()).toBe("well");
    await sql.machinery(
      "update clockwork.vendors set failures_in_a_row = 3, last_failure_at = clockwork.now() where vendor = 'crm'",
    );
    expect(await state()).toBe("failing");
    await sql.person(
      `update clockwork.vendors set paused_until = clockwork.now() + interval '1 hour', paused_reason = 'Their audit.'
       where vendor = 'crm'`,
    );
    expect(await vendor(sql, "crm")).toMatchObject({
      state: "paused",
      paused_until: expect.any(Date),
      paused_reason: "Their audit.",
      failures_in_a_row: 3,
      last_failure_at: expect.any(Date),
    });
    await sql.person("update clockwork.settings set maintenance = true");
    expect(await state()).toBe("maintenance");
    expect((await vendor(sql, "stripe"))["state"]).toBe("maintenance");
    await sql.person("update clockwork.settings set maintenance = false");
    await passes(sql, "61 minutes");
    expect(await state()).toBe("failing");
  });

  test("hears a vendor by its own events, in whichever queue they are worked", async () => {
    const sql = await sqlForTest();
    // A prescription's event calls nobody, so it is worked in the internal queue.
    await taskIn(sql.person, "DONE", { step: "'health.medicationrequest.create'", vendor: "'internal'" });
    expect((await vendor(sql, "health"))["last_heard_at"]).toEqual(expect.any(Date));
    // Our own follow-ups, and what a person adds, are no sign of life of a vendor.
    const parent = await taskIn(sql.person, "DONE", { step: "'stripe.invoice.paid'", vendor: "'stripe'" });
    await taskIn(sql.person, "PENDING", { step: "'order.place'", vendor: "'pharmacy'", caused_by: parent });
    await taskIn(sql.person, "PENDING", { step: "'order.replace'", vendor: "'pharmacy'" });
    expect((await vendor(sql, "pharmacy"))["last_heard_at"]).toBeNull();
    expect((await vendor(sql, "stripe"))["last_heard_at"]).toEqual(expect.any(Date));
  });

  test("hears the latest", async () => {
    const sql = await sqlForTest();
    const at = { step: "'stripe.invoice.paid'", vendor: "'stripe'" };
    await taskIn(sql.person, "DONE", { ...at, created_at: "'2031-02-01Z'" });
    await taskIn(sql.person, "PARKED", { ...at, created_at: "'2031-03-01Z'" });
    expect((await vendor(sql, "stripe"))["last_heard_at"]).toEqual(new Date("2031-03-01T00:00:00Z"));
  });
});

describe("ops.renewals", () => {
  test.each([
    ["America/New_York", "2036-12-08T04:59:59Z", "2036-12-07"],
    ["Pacific/Auckland", "2036-12-06T11:00:00Z", "2036-12-07"],
  ])("shows a day as the pharmacy has it, in %s", async (zone, at, day) => {
    const sql = await sqlForTest();
    const { customer, product } = await customerAndProduct(sql.person);
    await sql.person("update clockwork.settings set pharmacy_time_zone = $1", [zone]);
    await sql.machinery(
      `insert into tracker.refills (subscription_item_id, subscription_id, customer_id, product_id, finding, due_on, start_on,
         last_fill_on, fillable_until, runs_out_on, looked_at)
       values ('si_1', 'sub_1', $1, $2, 'EXPIRES', $3, $3, $3, $3, $3, clockwork.now())`,
      [customer, product, at],
    );
    const row = await one(
      sql.person,
      `select covered_until::text, customer_is_asked_on::text, last_fill_on::text, fillable_until::text, drug_runs_out_on::text, why
       from ops.renewals`,
    );
    const { why, ...days } = row;
    expect(new Set(Object.values(days))).toEqual(new Set([day]));
    expect(why).toContain(`It lasts until ${day}.`);
  });
});
