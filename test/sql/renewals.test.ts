import { expect, test } from "vitest";
import { sqlForTest } from "./support.ts";

const OPEN = `insert into tracker.renewals (customer_id, product_id, subscription_id, subscription_item_id,
  prescription_id, cause, opened_by, due_on, start_on, next_on)
  values (1, 1, 'sub_1', 'si_1', $1, 'EXPIRES', 'renewal.find', clockwork.now() + interval '30 days', clockwork.now(),
    clockwork.now()) returning id`;

async function withRegistry() {
  const sql = await sqlForTest();
  await sql.person("insert into registry.customers (email) values ('a@example.com')");
  await sql.person("insert into registry.products (name) values ('Morning tablets')");
  return sql;
}

test("only one renewal of a customer's product is open, and a prescription's cycle is opened once", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  await expect(sql.machinery(OPEN, ["rx2"])).rejects.toThrow("one_open_renewal_per_customer_and_product");
  await sql.person("update tracker.renewals set state = 'CANCELLED'");
  await expect(sql.machinery(OPEN, ["rx1"])).rejects.toThrow("one_renewal_per_prescription_and_cycle");
  await sql.machinery(OPEN, ["rx2"]);
});

test("a person stops a renewal by one cell, and it says so", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  await sql.person("update tracker.renewals set state = 'CANCELLED'");
  expect(
    await sql.person(
      "select state, closed_because, next_on, closed_at is not null as is_closed from tracker.renewals",
    ),
  )
    .toEqual([{ state: "CANCELLED", closed_because: "closed by a person", next_on: null, is_closed: true }]);
});

test("a closed renewal names its author, whatever the words are, and keeps it", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  await sql.person("update tracker.renewals set state = 'CANCELLED', closed_because = 'called: is moving'");
  await sql.machinery("update tracker.renewals set closed_because = 'the customer ended the subscription'");
  await sql.machinery(OPEN, ["rx2"]);
  await sql.machinery(
    "update tracker.renewals set state = 'RENEWED', closed_because = 'closed by a person' where closed_at is null",
  );
  const [byPerson, byMachinery] = await sql.person("select closed_by from tracker.renewals order by id");
  expect(byPerson).toEqual({ closed_by: "table editor" });
  expect(byMachinery?.["closed_by"]).toMatch(/^clockwork:/);
});

test("a lapse can be over without a renewal", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  await sql.machinery(
    "update tracker.renewals set state = 'LAPSED', lapsed_at = clockwork.now(), contacted_at = clockwork.now()",
  );
  await sql.machinery("update tracker.renewals set state = 'CONTACTED'");
  expect(await sql.person("select state from tracker.renewals")).toEqual([{ state: "CONTACTED" }]);
});

test("a closed renewal never opens again, and a customer who was asked stays asked", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  await sql.machinery("update tracker.renewals set state = 'CONTACTED', contacted_at = clockwork.now()");
  await expect(sql.machinery("update tracker.renewals set contacted_at = clockwork.now() + interval '1 day'"))
    .rejects.toThrow("was already asked");
  await expect(sql.machinery("update tracker.renewals set state = 'SCHEDULED'")).rejects.toThrow(
    "cannot become",
  );
  await sql.person("update tracker.renewals set state = 'CANCELLED'");
  await expect(sql.person("update tracker.renewals set state = 'CONTACTED'")).rejects.toThrow(
    "cannot become",
  );
  await expect(sql.person("delete from tracker.renewals")).rejects.toThrow("set its state to CANCELLED");
});

test.each([
  ["state = 'CONTACTED'", "a_contacted_renewal_says_when"],
  ["state = 'LAPSED'", "a_lapsed_renewal_says_when"],
  ["reminders = 1", "only_a_contacted_customer_is_reminded"],
  ["billing_paused_at = clockwork.now()", "only_a_lapse_pauses_billing"],
  ["start_on = due_on + interval '1 day'", "a_campaign_starts_before_it_is_due"],
  ["next_on = null", "only_an_open_renewal_is_looked_at_again"],
  ["cause = 'BORED'", "renewal_cause_is_known"],
  ["prescription_id = 'rx9'", "That never changes."],
  ['opened_under = \'{"rx1": {"fills": 12}}\'', "That never changes."],
  ["opened_under = '[]'", "That never changes."],
  ["reminders_before = 1", "reminders_before_were_sent"],
  ["closed_by = 'somebody'", "only_a_closed_renewal_says_by_whom"],
])("refuses a renewal with %s: %s", async (change, constraint) => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  await expect(sql.machinery(`update tracker.renewals set ${change}`)).rejects.toThrow(constraint);
});

test("a renewal whose day has come becomes one task, however often cron ticks", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  const start = () => sql.person("select clockwork.start_due_renewals()::int as started");
  expect([await start(), await start()]).toEqual([[{ started: 1 }], [{ started: 0 }]]);
  expect(await sql.person("select step, vendor, status::text, customer_id::int from clockwork.tasks"))
    .toEqual([{ step: "renewal.advance", vendor: "health", status: "PENDING", customer_id: 1 }]);
});

test("a night's work is made once, by whichever tick comes first after its hour in the pharmacy's zone", async () => {
  const sql = await withRegistry();
  const start = async () =>
    (await sql.person("select clockwork.start_nightly_work()::int as started"))[0]?.["started"];
  await sql.person("update clockwork.nightly_work set at = '00:00'");
  const [works] = await sql.person("select count(*)::int as all from clockwork.nightly_work");
  expect([await start(), await start()]).toEqual([works?.["all"], 0]);
  const [task] = await sql.person(
    `select step, data, key = 'night:' || (clockwork.now() at time zone 'America/New_York')::date
    as is_of_this_night from clockwork.tasks where step = 'renewal.find'`,
  );
  expect(task).toMatchObject({ step: "renewal.find", is_of_this_night: true });
});

test("work whose hour no tick meets that day is made by one after midnight, for the night it belongs to", async () => {
  const sql = await withRegistry();
  const local = "(clockwork.now() at time zone 'America/New_York')";
  // An hour that is still to come today: the last one that came was yesterday's.
  await sql.person(
    `update clockwork.nightly_work set at = least(${local} + interval '1 minute', ${local}::date + interval '23:59:59')::time`,
  );
  await sql.person("select clockwork.start_nightly_work()");
  expect(
    await sql.person(
      `select distinct (data ->> 'night')::date = ${local}::date - 1 as is_of_last_night, key = 'night:' || (data ->> 'night') as is_keyed
      from clockwork.tasks`,
    ),
  ).toEqual([{ is_of_last_night: true, is_keyed: true }]);
});

test("a renewal whose task a person dropped is taken up again the next day; one in front of a person is not", async () => {
  const sql = await withRegistry();
  await sql.machinery(OPEN, ["rx1"]);
  const start = async () =>
    (await sql.person("select clockwork.start_due_renewals()::int as started"))[0]?.["started"];
  const tomorrow = () =>
    sql.person("update clockwork.settings set clock_offset = clock_offset + interval '1 day'");
  expect(await start()).toBe(1);
  await sql.person("update clockwork.tasks set status = 'CANCELLED'");
  expect(await start()).toBe(0);
  await tomorrow();
  expect([await start(), await start()]).toEqual([1, 0]);
  const stop = (code: string) =>
    sql.machinery(
      `update clockwork.tasks set status = 'MANUAL_INTERVENTION', job_id = null, reason = 'why', reason_code = '${code}'
      where status = 'QUEUED'`,
    );
  const queue = () =>
    sql.machinery(
      "update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where status = 'PENDING'",
    );
  await queue();
  await stop("INTERNAL_ERROR");
  await tomorrow();
  expect(await start()).toBe(0);
  await sql.person("update clockwork.tasks set status = 'PENDING' where status = 'MANUAL_INTERVENTION'");
  await queue();
  await stop("RENEWAL_LAPSED");
  expect(await start()).toBe(1);
});

test("a person who stops a renewal ends its campaign; the machinery does that itself", async () => {
  const sql = await withRegistry();
  const contacted =
    "update tracker.renewals set state = 'CONTACTED', contacted_at = clockwork.now() where closed_at is null";
  const tasks = () => sql.person("select step, data, customer_id::int from clockwork.tasks order by id");
  await sql.machinery(OPEN, ["rx1"]);
  await sql.machinery(contacted);
  await sql.machinery("update tracker.renewals set state = 'RENEWED'");
  await sql.machinery(OPEN, ["rx2"]);
  await sql.person("update tracker.renewals set state = 'CANCELLED' where closed_at is null");
  expect(await tasks()).toEqual([]);
  const [row] = await sql.machinery(OPEN, ["rx3"]);
  await sql.machinery(contacted);
  await sql.person("update tracker.renewals set state = 'CANCELLED' where closed_at is null");
  expect(await tasks()).toEqual([{
    step: "renewal.tell_crm",
    data: { renewal_id: Number(row?.["id"]), fact: "renewal_cancelled" },
    customer_id: 1,
  }]);
});

test("work that is off is not made", async () => {
  const sql = await withRegistry();
  await sql.person("update clockwork.nightly_work set is_on = false, at = '00:00'");
  expect(await sql.person("select clockwork.start_nightly_work()::int as started")).toEqual([{ started: 0 }]);
});

test("reminders are days before the due day", async () => {
  const sql = await withRegistry();
  await expect(sql.person("update clockwork.settings set remind_days_before = '{7,0}'"))
    .rejects.toThrow("reminders_come_before_the_due_day");
});
