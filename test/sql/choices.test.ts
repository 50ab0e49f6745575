import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STEP_DATA } from "../../src/shared/queue/step-data.ts";
import { companions, one, openSql, type Row, type Sql, type Status, STATUSES, taskIn } from "./support.ts";

/**
 * Reasons that are never in front of a person: their task waits, ended, or is PARKED. A new reason needs its choices, or
 * its place here.
 */
const NEVER_ASKED = [
  "CHANGE_UNDER_WAY",
  "CHARGE_INQUIRED",
  "CHARGE_REFUNDED",
  "CHECK_OVERTAKEN",
  "CUSTOMER_ON_HOLD",
  "EFFECT_HELD",
  "EFFECT_SETTLING",
  "FACT_IS_PAST",
  "FACT_IS_TOO_OLD",
  "FILL_IN_QUESTION",
  "INVOICE_NOT_PAID",
  "KEY_IS_GONE",
  "LOGIN_EMAIL_NOT_FREE",
  "LOGIN_MAIL_LIMIT",
  "NOT_DUE_YET",
  "NOT_OURS",
  "NO_VALID_PRESCRIPTION",
  "ORDER_CALLED_OFF",
  "PAYMENT_NOT_TOLD",
  "PRESCRIPTION_NOT_AT_PHARMACY",
  "PRESCRIPTION_NOT_VALID_YET",
  "RENEWAL_NOT_NEEDED",
  "SUBSCRIPTION_INCOMPLETE",
  "SUBSCRIPTION_PAUSED",
  "SUBSCRIPTION_STARTS_LATER",
  "UNKNOWN_EVENT",
  "VENDOR_PAUSED",
];

let sql: Sql;
beforeAll(async () => void (sql = await openSql()));
afterAll(() => sql.drop());

async function question(code: string, data: Row = {}): Promise<string> {
  return await taskIn(sql.person, "MANUAL_INTERVENTION", {
    reason_code: `'${code}'`,
    data: `'${JSON.stringify(data)}'`,
    attempts: "3",
  });
}

async function answer(id: string, word: string | null): Promise<void> {
  await sql.person("update clockwork.tasks set answer = $2 where id = $1", [id, word]);
}

async function read(id: string): Promise<Row> {
  return await one(sql.person, "select * from clockwork.tasks where id = $1", [id]);
}

async function history(id: string): Promise<Row[]> {
  return await sql.person("select * from clockwork.task_history where task_id = $1 order by id", [id]);
}

describe("the catalogue", () => {
  test("every reason has choices, or is never in front of a person", async () => {
    const bare = await sql.person(
      'select code from clockwork.reasons where code not in (select code from clockwork.reason_choices) order by code collate "C"',
    );
    expect(bare.map((row) => row["code"])).toEqual(NEVER_ASKED);
  });

  test("a repair names each answer of its reason, and no other", async () => {
    const reasons = await sql.person(
      `select reasons.code, reasons.repair, array_agg(answer order by answer) as answers
       from clockwork.reasons join clockwork.reason_choices using (code) group by reasons.code, reasons.repair`,
    );
    expect(reasons.length).toBeGreaterThan(70);
    for (const { code, repair, answers } of reasons) {
      const named = [...String(repair).matchAll(/\banswer (?:of this task )?to ([^.]+)/g)]
        .flatMap(([, words = ""]) => words.match(/^\w+(?:, \w+)*(?: or \w+)?/)?.[0].split(/, | or /) ?? []);
      expect([code, [...new Set(named)].toSorted()]).toEqual([code, answers]);
    }
  });

  test("a repair that an answer can do names no status of the task", async () => {
    const odd = await sql.person(
      `select code from clockwork.reasons
       where repair ~ 'set status (of this task )?to' and code in (select code from clockwork.reason_choices)`,
    );
    expect(odd).toEqual([]);
  });

  test("data and the attribute that a choice needs are those of a step", async () => {
    const choices = await sql.person(
      `select code, key, value from clockwork.reason_choices cross join lateral jsonb_each(data)
       union all select code, needs, '7' from clockwork.reason_choices where needs is not null`,
    );
    expect(choices.length).toBeGreaterThan(10);
    const takes = (key: string, value: unknown) =>
      Object.values(STEP_DATA).some(({ shape }) =>
        Object.entries(shape).some(([name, type]) => name === key && type.safeParse(value).success)
      );
    expect(choices.filter(({ key, value }) => !takes(String(key), value))).toEqual([]);
  });

  test("try_again always runs the task, and end always ends it", async () => {
    const statuses = await sql.person(
      `select answer, array_agg(distinct status::text) as statuses from clockwork.reason_choices
       where answer in ('try_again', 'end') group by answer order by answer`,
    );
    expect(statuses).toEqual([
      { answer: "end", statuses: ["CANCELLED"] },
      { answer: "try_again", statuses: ["PENDING"] },
    ]);
  });

  test.each([
    ["a_choice_runs_the_task_or_ends_it", "'sure', 'x', 'DONE', '{}'"],
    ["an_answer_is_in_lower_snake_case", "'Sure', 'x', 'PENDING', '{}'"],
    ["data_is_an_object", "'sure', 'x', 'PENDING', '[]'"],
    ["reason_choices_pkey", "'try_again', 'x', 'PENDING', '{}'"],
  ])("%s", async (constraint, values) => {
    await expect(sql.person(
      `insert into clockwork.reason_choices (code, position, answer, label, status, data)
       values ('INTERNAL_ERROR', 9, ${values})`,
    )).rejects.toMatchObject({ constraint });
  });

  test("its rows stay", async () => {
    for (const statement of ["delete from", "truncate"]) {
      await expect(sql.person(`${statement} clockwork.reason_choices`)).rejects.toMatchObject({
        code: "23514",
        message: "Rows of clockwork.reason_choices are never removed. People answer with these words.",
      });
    }
  });
});

describe("an answer", () => {
  test("ends the task, keeps its reason, and stays as the record", async () => {
    const id = await question("PHARMACY_FAILED", { order_id: 1 });
    await answer(id, "give_back");
    expect(await read(id)).toMatchObject({
      answer: "give_back",
      status: "CANCELLED",
      reason_code: "PHARMACY_FAILED",
      data: { order_id: 1 },
    });
  });

  test("runs the task again with all its tries, and with the data of the choice", async () => {
    const id = await question("CUSTOMER_HAS_ANOTHER_KEY", { key: "cus_1", customer_id: 7 });
    await answer(id, "replace_key");
    expect(await read(id)).toMatchObject({
      answer: "replace_key",
      status: "PENDING",
      reason: null,
      attempts: 0,
      data: { key: "cus_1", customer_id: 7, replace: true },
    });
  });

  test.each([" give_back", "GIVE_BACK ", "Give_back\n", "\tgIvE_bAcK"])("%j is give_back", async (word) => {
    const id = await question("PHARMACY_FAILED");
    await answer(id, word);
    expect(await read(id)).toMatchObject({ answer: "give_back", status: "CANCELLED" });
  });

  test("blanks between words are written as they are named", async () => {
    const id = await question("INTERNAL_ERROR");
    await answer(id, "Try  again");
    expect(await read(id)).toMatchObject({ answer: "try_again", status: "PENDING" });
  });

  test.each(["", "  ", null])("%j is none", async (word) => {
    const id = await question("PHARMACY_FAILED");
    await answer(id, word);
    expect(await read(id)).toMatchObject({ answer: null, status: "MANUAL_INTERVENTION" });
    expect(await history(id)).toEqual([]);
  });

  test("that is no choice is refused with the choices, in their order", async () => {
    const id = await question("PHARMACY_FAILED");
    await expect(answer(id, "Give_backk")).rejects.toMatchObject({
      code: "23514",
      message:
        `Task ${id} has no choice give_backk. Its choices: send_again (place a replacement order, once), give_back (it was refunded at Stripe, and nothing is sent).`,
    });
    expect(await read(id)).toMatchObject({ answer: null, status: "MANUAL_INTERVENTION" });
  });

  test("of another reason is refused, and so is any where the reason has none", async () => {
    await expect(answer(await question("INTERNAL_ERROR"), "give_back")).rejects.toThrow(
      /Its choices: try_again \(/,
    );
    await expect(answer(await question("NOT_OURS"), "end")).rejects.toThrow(/Its choices: none\.$/);
  });

  test.each(STATUSES.filter((status) => status !== "MANUAL_INTERVENTION"))(
    "is refused while the status is %s",
    async (status) => {
      const id = await taskIn(sql.person, status, { reason: "'Why.'", reason_code: "'PHARMACY_FAILED'" });
      await expect(answer(id, "give_back")).rejects.toMatchObject({
        code: "23514",
        message: `answer of task ${id} can be set only while status is MANUAL_INTERVENTION. It is ${status}.`,
      });
      expect(await read(id)).toMatchObject({ answer: null, status });
    },
  );

  test("is no longer changed once it is given, and the same again is none", async () => {
    const id = await question("PHARMACY_FAILED");
    await answer(id, "give_back");
    for (const word of ["send_again", null]) {
      await expect(answer(id, word)).rejects.toThrow(
        /only while status is MANUAL_INTERVENTION. It is CANCELLED/,
      );
    }
    await answer(id, " Give_back");
    expect(await read(id)).toMatchObject({ answer: "give_back", status: "CANCELLED" });
  });

  test("goes with its own status in one edit, and with no other", async () => {
    const id = await question("PHARMACY_FAILED");
    const both = (status: string) =>
      sql.person(`update clockwork.tasks set answer = 'give_back', status = '${status}' where id = ${id}`);
    await expect(both("PENDING")).rejects.toMatchObject({
      code: "23514",
      message:
        `The answer give_back sets status of task ${id} to CANCELLED, so it cannot be set to PENDING as well.`,
    });
    await both("CANCELLED");
    expect(await read(id)).toMatchObject({ answer: "give_back", status: "CANCELLED" });
  });

  test("that needs a number in data is refused without it, and takes one from the same edit", async () => {
    const id = await question("EMAIL_IS_NO_PROOF", { key: "cus_1", customer_id: null });
    await expect(answer(id, "link")).rejects.toMatchObject({
      code: "23514",
      message: `Fill in customer_id in data of task ${id}, then set answer to link.`,
    });
    await sql.person(
      `update clockwork.tasks set answer = 'link', data = '{"key": "cus_1", "customer_id": 7}' where id = ${id}`,
    );
    expect(await read(id)).toMatchObject({ status: "PENDING", data: { key: "cus_1", customer_id: 7 } });
  });

  test("takes back what somebody else put into data", async () => {
    const id = await question("EMAIL_IS_NO_PROOF", { key: "cus_1", customer_id: 7 });
    await answer(id, "new_customer");
    expect(await read(id)).toMatchObject({ status: "PENDING", data: { key: "cus_1", customer_id: null } });
  });

  test("gives nobody the columns that the machinery keeps", async () => {
    const id = await question("PHARMACY_FAILED");
    await expect(
      sql.person(`update clockwork.tasks set answer = 'give_back', attempts = 0 where id = ${id}`),
    ).rejects.toThrow(/Only answer, status, data and run_after/);
  });

  test("is in the history as one change with its status and data", async () => {
    const id = await question("CUSTOMER_HAS_ANOTHER_KEY", { key: "cus_1", customer_id: 7 });
    await answer(id, "replace_key");
    const [change, ...more] = await history(id);
    expect(more).toEqual([]);
    expect(change).toMatchObject({
      actor: "table editor",
      from_status: "MANUAL_INTERVENTION",
      to_status: "PENDING",
      before: { answer: null, data: { key: "cus_1", customer_id: 7 } },
      after: { answer: "replace_key", data: { key: "cus_1", customer_id: 7, replace: true } },
    });
    const story = await sql.person("select what from ops.timeline where task_id = $1 and system = 'person'", [
      id,
    ]);
    expect(story).toEqual([{
      what: `table editor: task ${id} (test.step) answered replace_key, from MANUAL_INTERVENTION to PENDING`,
    }]);
  });

  test("stays while the task runs and ends, and is emptied when it asks again", async () => {
    const id = await question("INTERNAL_ERROR");
    const settle = async (status: Status) =>
      await sql.machinery(
        `update clockwork.tasks set status = '${status}', ${
          Object.entries(companions(status)).map(([column, value]) => `${column} = ${value}`).join(", ")
        } where id = ${id}`,
      );
    await answer(id, "try_again");
    await settle("QUEUED");
    await settle("DONE");
    expect(await read(id)).toMatchObject({ status: "DONE", answer: "try_again" });
    await sql.person(`update clockwork.tasks set status = 'PENDING' where id = ${id}`);
    await settle("QUEUED");
    expect(await read(id)).toMatchObject({ status: "QUEUED", answer: "try_again" });
    await settle("MANUAL_INTERVENTION");
    expect(await read(id)).toMatchObject({ status: "MANUAL_INTERVENTION", answer: null });
  });

  test("is taken back with the end that it was", async () => {
    const id = await question("PHARMACY_FAILED");
    await answer(id, "give_back");
    await sql.person(`update clockwork.tasks set status = 'PENDING' where id = ${id}`);
    expect(await read(id)).toMatchObject({ status: "PENDING", answer: null });
  });

  test("no question is born answered", async () => {
    await expect(taskIn(sql.person, "MANUAL_INTERVENTION", { answer: "'end'" })).rejects.toMatchObject({
      constraint: "an_open_question_has_no_answer",
    });
  });
});

test("a status that is set by hand works as before, and leaves no answer", async () => {
  const id = await question("PHARMACY_FAILED");
  await sql.person(`update clockwork.tasks set status = 'CANCELLED' where id = ${id}`);
  expect(await read(id)).toMatchObject({ status: "CANCELLED", answer: null });
});
