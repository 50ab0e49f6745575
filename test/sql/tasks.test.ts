import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { companions, one, openSql, type Sql, type Status, STATUSES, taskIn } from "./support.ts";

/** What may move where, written down a second time: a change of clockwork.task_moves must be meant. */
const BY_PERSON = [
  "PENDING -> CANCELLED",
  "QUEUED -> PENDING",
  "QUEUED -> CANCELLED",
  "DONE -> PENDING",
  "MANUAL_INTERVENTION -> PENDING",
  "MANUAL_INTERVENTION -> CANCELLED",
  "PARKED -> PENDING",
  "PARKED -> CANCELLED",
  "CANCELLED -> PENDING",
];
const BY_MACHINERY = [
  "PENDING -> QUEUED",
  "QUEUED -> PENDING",
  "QUEUED -> DONE",
  "QUEUED -> MANUAL_INTERVENTION",
  "QUEUED -> PARKED",
  "QUEUED -> CANCELLED",
  "MANUAL_INTERVENTION -> PENDING",
];
const PAIRS = STATUSES.flatMap((from) => STATUSES.filter((to) => to !== from).map((to) => ({ from, to })));

let sql: Sql;
beforeAll(async () => void (sql = await openSql()));
afterAll(() => sql.drop());

async function read(id: string) {
  return await one(sql.person, "select * from clockwork.tasks where id = $1", [id]);
}

describe("the moves of a status", () => {
  test("the table says what this test says", async () => {
    const rows = await sql.person("select * from clockwork.task_moves order by from_status, to_status");
    const named = (column: string) =>
      rows.filter((row) => row[column]).map((row) => `${row["from_status"]} -> ${row["to_status"]}`);
    expect(named("by_person")).toEqual(BY_PERSON);
    expect(named("by_machinery")).toEqual(BY_MACHINERY);
    expect(rows.filter((row) => !row["by_person"] && !row["by_machinery"])).toEqual([]);
  });

  /** The sentence that a refusal ends with. */
  async function allowedFrom(from: Status, column: "by_person" | "by_machinery"): Promise<string> {
    const rows = await sql.person(
      `select to_status, meaning from clockwork.task_moves where from_status = $1 and ${column} order by to_status`,
      [from],
    );
    return rows.map((row) => `${row["to_status"]} (${row["meaning"]})`).join(", ") || "nothing";
  }

  test.each(PAIRS)("a person: $from to $to", async ({ from, to }) => {
    const id = await taskIn(sql.person, from);
    const move = () => sql.person(`update clockwork.tasks set status = '${to}' where id = ${id}`);
    if (BY_PERSON.includes(`${from} -> ${to}`)) {
      await move();
      expect((await read(id))["status"]).toBe(to);
    } else {
      const allowed = await allowedFrom(from, "by_person");
      await expect(move()).rejects.toMatchObject({
        code: "23514",
        message: `Task ${id} is ${from}, so it cannot be set to ${to}. Allowed from ${from}: ${allowed}.`,
      });
      expect((await read(id))["status"]).toBe(from);
    }
  });

  test.each(PAIRS)("the machinery: $from to $to", async ({ from, to }) => {
    const id = await taskIn(sql.person, from);
    const settings = Object.entries(companions(to)).map(([column, value]) => `${column} = ${value}`);
    const move = () =>
      sql.machinery(
        `update clockwork.tasks set status = '${to}', ${settings.join(", ")} where id = ${id}`,
      );
    if (BY_MACHINERY.includes(`${from} -> ${to}`)) {
      await move();
      expect((await read(id))["status"]).toBe(to);
    } else {
      const allowed = await allowedFrom(from, "by_machinery");
      await expect(move()).rejects.toMatchObject({
        code: "23514",
        message: `Task ${id} is ${from}, so it cannot be set to ${to}. Allowed from ${from}: ${allowed}.`,
      });
      expect((await read(id))["status"]).toBe(from);
    }
  });

  test.each(STATUSES)("setting %s again changes nothing and is not refused", async (status) => {
    const id = await taskIn(sql.person, status);
    await sql.person(`update clockwork.tasks set status = status where id = ${id}`);
    await sql.machinery(`update clockwork.tasks set status = status where id = ${id}`);
    expect((await read(id))["status"]).toBe(status);
  });

  test("a person cannot be mistaken for the machinery by half a name", async () => {
    const id = await taskIn(sql.person, "PENDING");
    await expect(sql.undone(async (run) => {
      await run("select set_config('clockwork.actor', 'clockwork', true)");
      await run(`update clockwork.tasks set status = 'QUEUED', job_id = gen_random_uuid() where id = ${id}`);
    })).rejects.toThrow(/Allowed from PENDING: CANCELLED \(cancel it\)\./);
  });

  test("the actor ends with the transaction, also where the connection goes on", async () => {
    expect(
      await sql.undone(async (run) => {
        await run("select set_config('clockwork.actor', 'clockwork:test', true)");
        await run("commit");
        return await run("select clockwork.actor() as actor");
      }),
    ).toEqual([{ actor: "table editor" }]);
  });
});

describe("a person's edits", () => {
  const RESENT: Status[] = ["MANUAL_INTERVENTION", "PARKED", "DONE", "QUEUED", "CANCELLED"];

  test.each(RESENT)("a resend from %s starts over", async (status) => {
    const id = await taskIn(sql.person, status, {
      attempts: "7",
      run_after: "clockwork.now() + interval '3 days'",
      reason: "'It failed.'",
      reason_code: "'INTERNAL_ERROR'",
      data: `'{"order_id": 5}'`,
      invoice_id: "'in_kept'",
    });
    const row = await one(
      sql.person,
      `update clockwork.tasks set status = 'PENDING' where id = ${id}
       returning *, run_after = clockwork.now() as due_now`,
    );
    expect(row).toMatchObject({
      status: "PENDING",
      attempts: 0,
      reason: null,
      reason_code: null,
      job_id: null,
      done_at: null,
      due_now: true,
      data: { order_id: 5 },
      invoice_id: "in_kept",
    });
  });

  test("a cancel keeps the reason and lets go of the job", async () => {
    const stopped = await taskIn(sql.person, "MANUAL_INTERVENTION", { attempts: "3" });
    const queued = await taskIn(sql.person, "QUEUED");
    await sql.person(`update clockwork.tasks set status = 'CANCELLED' where id in (${stopped}, ${queued})`);
    expect(await read(stopped)).toMatchObject({ reason: "Something is wrong.", attempts: 3, done_at: null });
    expect(await read(queued)).toMatchObject({ status: "CANCELLED", job_id: null });
  });

  test("data may be edited while a person is needed, also together with the resend", async () => {
    const id = await taskIn(sql.person, "MANUAL_INTERVENTION");
    await sql.person(`update clockwork.tasks set data = '{"a": 1}' where id = ${id}`);
    expect(await read(id)).toMatchObject({ status: "MANUAL_INTERVENTION", data: { a: 1 } });
    await sql.person(`update clockwork.tasks set data = '{"a": 2}', status = 'PENDING' where id = ${id}`);
    expect(await read(id)).toMatchObject({ status: "PENDING", data: { a: 2 } });
  });

  test.each(STATUSES.filter((status) => status !== "MANUAL_INTERVENTION"))(
    "data is refused while %s",
    async (status) => {
      const id = await taskIn(sql.person, status);
      await expect(sql.person(`update clockwork.tasks set data = '{"a": 1}' where id = ${id}`)).rejects
        .toMatchObject({
          code: "23514",
          message:
            `data of task ${id} can be edited only while status is MANUAL_INTERVENTION. It is ${status}.`,
        });
      expect((await read(id))["data"]).toEqual({});
    },
  );

  test("run_after may be edited while PENDING", async () => {
    const id = await taskIn(sql.person, "PENDING");
    await sql.person(`update clockwork.tasks set run_after = '2031-01-01Z' where id = ${id}`);
    expect((await read(id))["run_after"]).toEqual(new Date("2031-01-01T00:00:00Z"));
  });

  test.each(STATUSES.filter((status) => status !== "PENDING"))(
    "run_after is refused while %s",
    async (status) => {
      const id = await taskIn(sql.person, status);
      await expect(sql.person(`update clockwork.tasks set run_after = '2031-01-01Z' where id = ${id}`))
        .rejects
        .toMatchObject({
          code: "23514",
          message: `run_after of task ${id} can be edited only while status is PENDING. It is ${status}.`,
        });
    },
  );

  test("every other column is refused, and none is forgotten", async () => {
    const columns = await sql.person(
      `select column_name, is_identity from information_schema.columns
       where table_schema = 'clockwork' and table_name = 'tasks'`,
    );
    const other = columns.filter((row) =>
      !["answer", "status", "data", "run_after"].includes(String(row["column_name"])) &&
      row["is_identity"] === "NO"
    ).map((row) => String(row["column_name"]));
    const { id: customer } = await one(
      sql.person,
      "insert into registry.customers default values returning id",
    );
    const values: Record<string, string> = {
      step: "'another'",
      reason: "'It is fine.'",
      customer_id: String(customer),
      attempts: "99",
      invoice_id: "'in_another'",
      vendor: "'crm'",
      key: "'another'",
      caused_by: "id",
      reason_code: "'NOT_OURS'",
      job_id: "gen_random_uuid()",
      created_at: "'2020-01-01Z'",
      updated_at: "'2020-01-01Z'",
      done_at: "'2020-01-01Z'",
    };
    expect(Object.keys(values).toSorted()).toEqual(other.toSorted());
    const id = await taskIn(sql.person, "MANUAL_INTERVENTION");
    const before = await read(id);
    for (const [column, value] of Object.entries(values)) {
      await expect(
        sql.person(`update clockwork.tasks set ${column} = ${value} where id = ${id}`),
        column,
      ).rejects.toMatchObject({
        code: "23514",
        message:
          `Only answer, status, data and run_after of task ${id} can be edited. The machinery keeps the rest.`,
      });
    }
    expect(await read(id)).toEqual(before);
    // Nor hidden behind a move that is allowed.
    await expect(
      sql.person(`update clockwork.tasks set status = 'PENDING', step = 'another' where id = ${id}`),
    ).rejects.toThrow(/Only answer, status, data and run_after/);
    await expect(sql.person(`update clockwork.tasks set id = default where id = ${id}`)).rejects.toThrow();
  });

  test("the machinery may write them, and every change stamps updated_at", async () => {
    const id = await taskIn(sql.person, "PENDING", { updated_at: "'2020-01-01Z'" });
    const row = await one(
      sql.machinery,
      `update clockwork.tasks set attempts = 2, invoice_id = 'in_1', data = '{"a": 1}' where id = ${id}
       returning attempts, invoice_id, data, updated_at = clockwork.now() as stamped`,
    );
    expect(row).toEqual({ attempts: 2, invoice_id: "in_1", data: { a: 1 }, stamped: true });
  });
});

describe("a person's new row", () => {
  test("step and data are enough", async () => {
    const row = await one(
      sql.person,
      `insert into clockwork.tasks (step, data) values ('order.replace', '{"order_id": 12}')
       returning *, run_after = clockwork.now() as due_now`,
    );
    expect(row).toMatchObject({
      status: "PENDING",
      step: "order.replace",
      data: { order_id: 12 },
      vendor: "internal",
      attempts: 0,
      reason: null,
      job_id: null,
      caused_by: null,
      done_at: null,
      due_now: true,
    });
    expect(row["key"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("a step and key come once; the same key is another thing for another step", async () => {
    await sql.person("insert into clockwork.tasks (step, key) values ('a.step', 'evt_1')");
    await expect(sql.person("insert into clockwork.tasks (step, key) values ('a.step', 'evt_1')")).rejects
      .toMatchObject({ code: "23505", constraint: "tasks_step_key_is_unique" });
    await sql.person("insert into clockwork.tasks (step, key) values ('b.step', 'evt_1')");
  });

  test.each([
    ["a_stopped_task_says_why", "status", "'MANUAL_INTERVENTION'"],
    ["a_stopped_task_says_why", "status", "'PARKED'"],
    ["a_stopped_task_says_why", "status, reason", "'PARKED', 'words without a code'"],
    ["a_stopped_task_says_why", "status, reason_code", "'PARKED', 'UNKNOWN_EVENT'"],
    ["only_a_queued_task_has_a_job", "status", "'QUEUED'"],
    ["only_a_queued_task_has_a_job", "job_id", "gen_random_uuid()"],
    ["only_a_done_task_has_done_at", "status", "'DONE'"],
    ["only_a_done_task_has_done_at", "done_at", "clockwork.now()"],
    ["data_is_an_object", "data", "'[]'"],
    ["data_is_an_object", "data", "'\"text\"'"],
    ["data_is_an_object", "data", "'null'"],
    ["tasks_vendor_fkey", "vendor", "'nobody'"],
    ["tasks_reason_code_fkey", "reason_code", "'NO_SUCH_REASON'"],
    ["tasks_customer_id_fkey", "customer_id", "999999"],
    ["tasks_caused_by_fkey", "caused_by", "999999"],
  ])("%s: refuses (%s) = (%s)", async (constraint, columns, values) => {
    await expect(
      sql.person(`insert into clockwork.tasks (step, ${columns}) values ('test.step', ${values})`),
    ).rejects.toMatchObject({ constraint });
  });

  test("a status that is none, and a missing step, are refused", async () => {
    await expect(sql.person("insert into clockwork.tasks (step, status) values ('a', 'RUNNING')")).rejects
      .toThrow(/invalid input value for enum clockwork.task_status: "RUNNING"/);
    await expect(sql.person("insert into clockwork.tasks (data) values ('{}')")).rejects
      .toMatchObject({ code: "23502", column: "step" });
  });

  test("two tasks never share a job", async () => {
    const job = "'00000000-0000-4000-8000-000000000001'";
    await taskIn(sql.person, "QUEUED", { job_id: job });
    await expect(taskIn(sql.person, "QUEUED", { job_id: job })).rejects.toMatchObject({
      constraint: "tasks_job",
    });
  });
});

describe("removal", () => {
  test.each([
    ["delete from clockwork.tasks where id = -1", "clockwork.tasks"],
    ["delete from clockwork.tasks", "clockwork.tasks"],
    ["truncate clockwork.tasks cascade", "clockwork.tasks"],
    ["truncate registry.customers cascade", "registry.former_keys"],
    ["truncate clockwork.vendors cascade", "clockwork.vendors"],
  ])("%s is refused", async (statement, table) => {
    await taskIn(sql.person, "PENDING");
    const count = "select count(*) as tasks from clockwork.tasks";
    const before = await sql.person(count);
    for (const run of [sql.person, sql.machinery]) {
      await expect(run(statement)).rejects.toMatchObject({
        code: "23514",
        message: expect.stringContaining(`Rows of ${table} are never removed.`),
      });
    }
    expect(await sql.person(count)).toEqual(before);
  });

  test.each([
    [
      "delete from clockwork.tasks",
      "Rows of clockwork.tasks are never removed. To cancel a task, set its status to CANCELLED.",
    ],
    [
      "update clockwork.task_history set actor = 'x'",
      "Rows of clockwork.task_history are never changed. They are the record of every change.",
    ],
    [
      "delete from clockwork.effects",
      "Rows of clockwork.effects are never removed. They prevent that an act is done twice.",
    ],
    [
      "delete from tracker.orders",
      "Rows of tracker.orders are never removed. To cancel an order, add a task with the step order.cancel.",
    ],
    ["delete from tracker.shipments", "Rows of tracker.shipments are never removed."],
    [
      "delete from clockwork.settings",
      "Rows of clockwork.settings are never removed. Everything reads this row.",
    ],
    [
      "delete from clockwork.vendors",
      "Rows of clockwork.vendors are never removed. To hold a vendor's work, set paused_until.",
    ],
  ])("%s is answered with what to do instead", async (statement, message) => {
    await expect(sql.person(statement)).rejects.toMatchObject({ code: "23514", message });
    await expect(sql.machinery(statement)).rejects.toMatchObject({ code: "23514", message });
  });
});

describe("task_history", () => {
  async function history(id: string) {
    return await sql.person("select * from clockwork.task_history where task_id = $1 order by id", [id]);
  }

  test("keeps before, after, when and who, and only what changed", async () => {
    const id = await taskIn(sql.person, "MANUAL_INTERVENTION", { data: `'{"order_id": 1}'`, attempts: "4" });
    expect(await history(id)).toEqual([]);
    await sql.person(`update clockwork.tasks set data = '{"order_id": 2}' where id = ${id}`);
    const [edit, ...rest] = await history(id);
    expect(rest).toEqual([]);
    expect(edit).toMatchObject({
      actor: "table editor",
      from_status: "MANUAL_INTERVENTION",
      to_status: "MANUAL_INTERVENTION",
      before: { data: { order_id: 1 } },
      after: { data: { order_id: 2 } },
    });
    // toEqual, not toMatchObject: updated_at changes too and must not be there.
    expect(edit?.["before"]).toEqual({ data: { order_id: 1 } });
    expect(edit?.["after"]).toEqual({ data: { order_id: 2 } });
    expect(edit?.["changed_at"]).toEqual((await read(id))["updated_at"]);

    await sql.person(`update clockwork.tasks set status = 'PENDING' where id = ${id}`);
    const resend = (await history(id))[1];
    expect(resend).toMatchObject({ from_status: "MANUAL_INTERVENTION", to_status: "PENDING" });
    expect(Object.keys(Object(resend?.["after"])).toSorted()).toEqual(
      ["attempts", "reason", "reason_code", "run_after", "status"],
    );
    expect(resend?.["before"]).toMatchObject({ attempts: 4, reason: "Something is wrong." });
    expect(resend?.["after"]).toMatchObject({ attempts: 0, reason: null, reason_code: null });
  });

  test("names the machinery, and values that come from or go to null", async () => {
    const id = await taskIn(sql.person, "PENDING");
    const job = "00000000-0000-4000-8000-00000000000a";
    await sql.machinery(`update clockwork.tasks set status = 'QUEUED', job_id = '${job}' where id = ${id}`);
    const [row] = await history(id);
    expect(row).toMatchObject({ actor: "clockwork:test", from_status: "PENDING", to_status: "QUEUED" });
    expect(row?.["before"]).toEqual({ status: "PENDING", job_id: null });
    expect(row?.["after"]).toEqual({ status: "QUEUED", job_id: job });
  });

  test("has no row where nothing changed or the change was refused", async () => {
    const id = await taskIn(sql.person, "PENDING");
    await sql.person(`update clockwork.tasks set status = status, data = data where id = ${id}`);
    await sql.machinery(`update clockwork.tasks set attempts = attempts where id = ${id}`);
    await expect(sql.person(`update clockwork.tasks set status = 'DONE' where id = ${id}`)).rejects.toThrow();
    expect(await history(id)).toEqual([]);
  });

  test("a statement over many tasks leaves a row for each", async () => {
    const ids = await Promise.all([1, 2, 3].map(() => taskIn(sql.person, "PARKED")));
    await sql.person(`update clockwork.tasks set status = 'CANCELLED' where id in (${ids.join()})`);
    for (const id of ids) expect(await history(id)).toHaveLength(1);
  });

  test.each([
    "update clockwork.task_history set actor = 'somebody else'",
    "delete from clockwork.task_history",
    "truncate clockwork.task_history",
  ])("%s is refused to everybody", async (statement) => {
    const id = await taskIn(sql.person, "PARKED");
    await sql.person(`update clockwork.tasks set status = 'CANCELLED' where id = ${id}`);
    const before = await history(id);
    for (const run of [sql.person, sql.machinery]) {
      await expect(run(statement)).rejects.toThrow(/clockwork\.task_history/);
    }
    expect(await history(id)).toEqual(before);
  });
});
