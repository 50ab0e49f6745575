import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { one, openSql, type Sql, taskIn } from "./support.ts";

let sql: Sql;
let task: string;
beforeAll(async () => {
  sql = await openSql();
  task = await taskIn(sql.person, "PENDING");
});
afterAll(() => sql.drop());

let keys = 0;

/** An effect put straight into a state. Gives its id. */
async function effectIn(state: "INTENT" | "CONFIRMED" | "REFUSED"): Promise<string> {
  const row = await one(
    sql.machinery,
    `insert into clockwork.effects (vendor, operation, key, task_id, state, reference, settled_at)
     values ('pharmacy', 'create order', 'il_${++keys}:1:1', ${task}, '${state}', 'ord_${keys}',
       ${state === "INTENT" ? "null" : "clockwork.now()"}) returning id`,
  );
  return String(row["id"]);
}

async function read(id: string) {
  return await one(sql.person, "select * from clockwork.effects where id = $1", [id]);
}

describe("the state of an effect", () => {
  test.each([
    ["INTENT", "settled_at = null"],
    ["REFUSED", "settled_at = clockwork.now()"],
  ])("CONFIRMED is never left for %s, by nobody", async (to, also) => {
    const id = await effectIn("CONFIRMED");
    for (const run of [sql.person, sql.machinery]) {
      await expect(run(`update clockwork.effects set state = '${to}', ${also} where id = ${id}`)).rejects
        .toMatchObject({
          code: "23514",
          message: `Effect ${id} is CONFIRMED. It was done outside and cannot be undone here.`,
        });
    }
    expect((await read(id))["state"]).toBe("CONFIRMED");
  });

  test.each(["key = 'another'", "operation = 'another'", "vendor = 'crm'", "reference = 'ord_another'"])(
    "what was confirmed stays what it was: %s is refused",
    async (change) => {
      const id = await effectIn("CONFIRMED");
      const before = await read(id);
      // Under another key the ledger would no longer know that the thing was done, and it would be done again.
      for (const run of [sql.person, sql.machinery]) {
        await expect(run(`update clockwork.effects set ${change} where id = ${id}`)).rejects.toMatchObject({
          code: "23514",
          message: `Effect ${id} is CONFIRMED. Its record stays as it is.`,
        });
      }
      expect(await read(id)).toEqual(before);
    },
  );

  test.each(["task_id = task_id", "state = 'CONFIRMED'"])(
    "a CONFIRMED effect may be written as it is: %s",
    async (change) => {
      const id = await effectIn("CONFIRMED");
      await sql.machinery(`update clockwork.effects set ${change} where id = ${id}`);
      expect((await read(id))["state"]).toBe("CONFIRMED");
    },
  );

  test.each(
    [
      ["INTENT", "CONFIRMED"],
      ["INTENT", "REFUSED"],
      ["REFUSED", "INTENT"],
      ["REFUSED", "CONFIRMED"],
    ] as const,
  )("%s may become %s", async (from, to) => {
    const id = await effectIn(from);
    const settledAt = to === "INTENT" ? "null" : "clockwork.now()";
    await sql.machinery(
      `update clockwork.effects set state = '${to}', settled_at = ${settledAt} where id = ${id}`,
    );
    expect((await read(id))["state"]).toBe(to);
  });
});

describe("what the ledger refuses", () => {
  test.each([
    "delete from clockwork.effects",
    "delete from clockwork.effects where state = 'REFUSED'",
    "truncate clockwork.effects",
  ])("%s", async (statement) => {
    const id = await effectIn("REFUSED");
    for (const run of [sql.person, sql.machinery]) {
      await expect(run(statement)).rejects.toMatchObject({
        code: "23514",
        message: expect.stringContaining("Rows of clockwork.effects are never removed."),
      });
    }
    expect((await read(id))["state"]).toBe("REFUSED");
  });

  test("a second row for the same business key; another vendor or operation is another thing", async () => {
    const insert = (vendor: string, operation: string) =>
      sql.machinery(
        "insert into clockwork.effects (vendor, operation, key, task_id) values ($1, $2, 'il_once:1:1', $3)",
        [vendor, operation, task],
      );
    await insert("pharmacy", "create order");
    await expect(insert("pharmacy", "create order")).rejects.toMatchObject({
      code: "23505",
      constraint: "effects_business_key_is_unique",
    });
    await insert("pharmacy", "cancel order");
    await insert("crm", "create order");
  });

  test.each([
    ["effect_state_is_known", "state, settled_at", "'DONE', clockwork.now()"],
    [
      "only_an_open_effect_is_leased",
      "state, settled_at, leased_until",
      "'REFUSED', clockwork.now(), clockwork.now()",
    ],
    ["only_a_settled_effect_has_settled_at", "settled_at", "clockwork.now()"],
    ["only_a_settled_effect_has_settled_at", "state", "'CONFIRMED'"],
    ["only_a_settled_effect_has_settled_at", "state", "'REFUSED'"],
  ])("%s: (%s) = (%s)", async (constraint, columns, values) => {
    await expect(
      sql.machinery(
        `insert into clockwork.effects (vendor, operation, key, task_id, ${columns})
         values ('crm', 'send event', 'k_${++keys}', ${task}, ${values})`,
      ),
    ).rejects.toMatchObject({ constraint });
  });

  test.each([
    ["effects_vendor_fkey", "'nobody'", () => task],
    ["effects_task_id_fkey", "'crm'", () => "999999"],
  ])("%s", async (constraint, vendor, taskId) => {
    await expect(
      sql.machinery(
        `insert into clockwork.effects (vendor, operation, key, task_id)
         values (${vendor}, 'send event', 'k_${++keys}', ${taskId()})`,
      ),
    ).rejects.toMatchObject({ constraint });
  });

  test("a new effect is an INTENT, its first attempt, sent now", async () => {
    expect(
      await one(
        sql.machinery,
        `insert into clockwork.effects (vendor, operation, key, task_id)
         values ('crm', 'send event', 'k_${++keys}', ${task})
         returning state, attempt, settled_at, leased_until, sent_at = clockwork.now() as sent_now`,
      ),
    ).toEqual({ state: "INTENT", attempt: 1, settled_at: null, leased_until: null, sent_now: true });
  });
});
