import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSql, type Sql } from "../sql/support.ts";

let sql: Sql;
beforeAll(async () => void (sql = await openSql()));
afterAll(() => sql.drop());

type Keys = Partial<
  Record<
    | "email"
    | "stripe_customer_id"
    | "health_patient_id"
    | "pharmacy_patient_id"
    | "crm_person_id"
    | "login_user_id",
    string
  >
>;

const LOGIN = "0b6f7c1e-9c3b-4f5e-8a55-1f2d3c4b5a69";

let numbers = 0;
const fresh = (prefix: string) => `${prefix}-${++numbers}`;

/** Calls it with named arguments, as an SQL client would. */
async function register(keys: Keys): Promise<number> {
  const names = Object.keys(keys);
  const [made] = await sql.person(
    `select registry.register_customer(${
      names.map((name, at) => `${name} => $${at + 1}`).join(", ")
    })::int as id`,
    Object.values(keys),
  );
  return Number(made?.["id"]);
}

async function row(id: number) {
  const [found] = await sql.person("select * from registry.customers where id = $1", [id]);
  return found;
}

const count = async () => Number((await sql.person("select count(*) from registry.customers"))[0]?.["count"]);

describe("register_customer", () => {
  test("makes a row of one key, adds the others as they come, and finds it by any of them", async () => {
    const keys = {
      crm_person_id: fresh("person"),
      stripe_customer_id: fresh("cus"),
      health_patient_id: fresh("patient"),
      pharmacy_patient_id: fresh("pat"),
    };
    const id = await register({ email: "ada@example.com", crm_person_id: keys.crm_person_id });
    expect(await register({ ...keys, login_user_id: LOGIN })).toBe(id);
    expect(await row(id)).toMatchObject({ ...keys, login_user_id: LOGIN, email: "ada@example.com" });
    for (const [name, key] of Object.entries(keys)) expect(await register({ [name]: key })).toBe(id);
    expect(await register({ login_user_id: LOGIN.toUpperCase() })).toBe(id);
  });

  test("twice is the same as once", async () => {
    const keys = {
      crm_person_id: fresh("person"),
      health_patient_id: fresh("patient"),
      email: "b@example.com",
    };
    const id = await register(keys);
    const before = await row(id);
    const [rows] = [await count()];
    expect(await register(keys)).toBe(id);
    expect(await row(id)).toEqual(before);
    expect(await count()).toBe(rows);
  });

  test("the same email is another customer", async () => {
    const one = await register({ email: "family@example.com", crm_person_id: fresh("person") });
    const other = await register({ email: "family@example.com", crm_person_id: fresh("person") });
    expect(other).not.toBe(one);
  });

  test("an email fills an empty cell and changes no other", async () => {
    const crm_person_id = fresh("person");
    const id = await register({ crm_person_id });
    await register({ crm_person_id, email: "first@example.com" });
    await register({ crm_person_id, email: "second@example.com" });
    expect(await row(id)).toMatchObject({ email: "first@example.com" });
  });

  test.each([{}, { email: "only@example.com" }, { stripe_customer_id: " " }])(
    "%j is no key, so it is refused",
    async (keys) => {
      const rows = await count();
      await expect(register(keys)).rejects.toThrow(/needs at least one key/);
      expect(await count()).toBe(rows);
    },
  );

  test("a second key of the same system is refused, and nothing is written", async () => {
    const crm_person_id = fresh("person");
    const id = await register({ crm_person_id, stripe_customer_id: "cus_a" });
    const before = await row(id);
    await expect(
      register({ crm_person_id, stripe_customer_id: "cus_b", health_patient_id: fresh("patient") }),
    )
      .rejects.toThrow(
        `Customer ${id} has the stripe key cus_a, so cus_b cannot be it too (crm ${crm_person_id} is customer ${id}).`,
      );
    expect(await row(id)).toEqual(before);
  });

  test("keys of two customers are refused with both named", async () => {
    const [crm_person_id, health_patient_id] = [fresh("person"), fresh("patient")];
    const one = await register({ crm_person_id });
    const other = await register({ health_patient_id });
    await expect(register({ crm_person_id, health_patient_id })).rejects.toThrow(
      `These keys lead to more than one customer: crm ${crm_person_id} is customer ${one}, health ${health_patient_id} is customer ${other}.`,
    );
  });

  test("a row made of a Stripe customer's news alone is whose the sign-up says it is", async () => {
    const [crm_person_id, stripe_customer_id] = [fresh("person"), fresh("cus")];
    const id = await register({ crm_person_id, email: "ours@example.com" });
    const made = await register({ stripe_customer_id, email: "theirs@example.com" });
    await sql.person("insert into clockwork.tasks (step, customer_id) values ('test.step', $1)", [made]);
    const rows = await count();
    expect(await register({ crm_person_id, stripe_customer_id, health_patient_id: "patient-fast" })).toBe(id);
    expect(await sql.person("select from clockwork.tasks where customer_id = $1", [id])).toHaveLength(1);
    expect(await row(id)).toMatchObject({
      stripe_customer_id,
      health_patient_id: "patient-fast",
      email: "ours@example.com",
    });
    expect(await row(made)).toMatchObject({ merged_into: String(id), stripe_customer_id: null, email: null });
    expect(await count()).toBe(rows);
    // One that knows more, or a second Stripe customer, is a contradiction.
    const other = fresh("cus");
    const known = await register({ stripe_customer_id: other, login_user_id: LOGIN.replace("69", "70") });
    const third = fresh("person");
    await register({ crm_person_id: third });
    await expect(register({ crm_person_id: third, stripe_customer_id: other })).rejects.toThrow(
      /more than one/,
    );
    await expect(register({ crm_person_id, stripe_customer_id: other })).rejects.toThrow(
      `is customer ${known}`,
    );
    const bare = fresh("cus");
    await register({ stripe_customer_id: bare });
    await expect(register({ crm_person_id, stripe_customer_id: bare })).rejects.toThrow(/more than one/);
  });

  test("a former key leads to its customer, and proves nothing new", async () => {
    const crm_person_id = fresh("person");
    const id = await register({ crm_person_id });
    await sql.person(
      "insert into registry.former_keys (customer_id, system, key, why) values ($1, 'stripe', 'cus_former', 'deleted')",
      [id],
    );
    expect(await register({ stripe_customer_id: "cus_former" })).toBe(id);
    // A late repeat of the sign-up: the key stays a former one.
    expect(await register({ crm_person_id, stripe_customer_id: "cus_former" })).toBe(id);
    expect(await row(id)).toMatchObject({ stripe_customer_id: null });
    await expect(register({ stripe_customer_id: "cus_former", health_patient_id: fresh("patient") })).rejects
      .toThrow(`Only a former key leads to customer ${id}`);
    const other = fresh("person");
    await register({ crm_person_id: other });
    await expect(register({ crm_person_id: other, stripe_customer_id: "cus_former" })).rejects.toThrow(
      /lead to more than one customer/,
    );
  });

  test("a merged customer's keys lead to the one who stayed", async () => {
    const stays = await register({ crm_person_id: fresh("person") });
    const moved = await register({ pharmacy_patient_id: "pat_moved" });
    await sql.person(
      "update registry.customers set pharmacy_patient_id = null, merged_into = $2 where id = $1",
      [moved, stays],
    );
    await sql.person(
      "insert into registry.former_keys (customer_id, system, key, why) values ($1, 'pharmacy', 'pat_moved', 'merged')",
      [moved],
    );
    expect(await register({ pharmacy_patient_id: "pat_moved" })).toBe(stays);
  });

  test("twenty at once with the same key are one row; with overlapping keys too", async () => {
    const rows = await count();
    const stripe_customer_id = fresh("cus");
    const crm_person_id = fresh("person");
    const ids = await Promise.all(
      Array.from(
        { length: 20 },
        (_, at) =>
          register({
            stripe_customer_id,
            ...(at % 2 === 0 ? { crm_person_id } : { email: "x@example.com" }),
          }),
      ),
    );
    expect(new Set(ids).size).toBe(1);
    expect(await count()).toBe(rows + 1);
    expect(await row(ids[0] ?? 0)).toMatchObject({ stripe_customer_id, crm_person_id });
  });
});

describe("a key leads to one customer", () => {
  test("somebody's former key cannot be written into another row", async () => {
    const id = await register({ crm_person_id: fresh("person") });
    await sql.person(
      "insert into registry.former_keys (customer_id, system, key, why) values ($1, 'health', 'patient-gone', 'merged')",
      [id],
    );
    const refusal = `patient-gone is a former health key of customer ${id}`;
    await expect(sql.person("insert into registry.customers (health_patient_id) values ('patient-gone')"))
      .rejects.toThrow(refusal);
    const other = await register({ crm_person_id: fresh("person") });
    await expect(
      sql.person("update registry.customers set health_patient_id = 'patient-gone' where id = $1", [other]),
    ).rejects.toThrow(refusal);
    // Its own is no harm, and a person who knows better deletes the row first.
    await sql.person("update registry.customers set health_patient_id = 'patient-gone' where id = $1", [id]);
    await sql.person("update registry.customers set health_patient_id = null where id = $1", [id]);
    await sql.person("delete from registry.former_keys where key = 'patient-gone'");
    await sql.person("update registry.customers set health_patient_id = 'patient-gone' where id = $1", [
      other,
    ]);
  });

  test("a live key is nobody else's former one", async () => {
    const id = await register({ crm_person_id: "person-live" });
    const other = await register({ crm_person_id: fresh("person") });
    await expect(sql.person(
      "insert into registry.former_keys (customer_id, system, key, why) values ($1, 'crm', 'person-live', 'merged')",
      [other],
    )).rejects.toThrow(`person-live is the crm key of customer ${id} now`);
  });

  test("two who write at once: the second waits, and is refused", async () => {
    const id = await register({ crm_person_id: fresh("person") });
    const other = await register({ crm_person_id: fresh("person") });
    const outcomes = await Promise.allSettled([
      sql.person("update registry.customers set health_patient_id = 'patient-raced' where id = $1", [id]),
      sql.person(
        "insert into registry.former_keys (customer_id, system, key, why) values ($1, 'health', 'patient-raced', 'merged')",
        [other],
      ),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("a merged row has no keys, points to a row that stays, and is not merged into", async () => {
    const [a, b, c] = [
      await register({ crm_person_id: fresh("person") }),
      await register({ crm_person_id: fresh("person") }),
      await register({ crm_person_id: fresh("person") }),
    ];
    const merge = (from: number, into: number) =>
      sql.person(
        "update registry.customers set crm_person_id = null, merged_into = $2 where id = $1",
        [from, into],
      );
    await merge(a, b);
    for (
      const column of ["stripe_customer_id", "health_patient_id", "pharmacy_patient_id", "crm_person_id"]
    ) {
      await expect(sql.person(`update registry.customers set ${column} = 'x' where id = ${a}`)).rejects
        .toMatchObject({ constraint: "a_merged_customer_has_no_keys" });
    }
    await expect(merge(c, a)).rejects.toThrow(`Customer ${a} was merged into another one`);
    await expect(merge(b, c)).rejects.toThrow(`Others were merged into customer ${b}`);
    await expect(merge(c, c)).rejects.toMatchObject({ constraint: "nobody_is_merged_into_themselves" });
  });

  test("customer_keys shows every key once, with whom it leads to", async () => {
    const twice = await sql.person(
      `select system, key from registry.customer_keys where why is null group by 1, 2 having count(*) > 1`,
    );
    expect(twice).toEqual([]);
    const [shown] = await sql.person(
      "select count(*)::int as n from registry.customer_keys where why is null",
    );
    const [kept] = await sql.person(
      `select sum(num_nonnulls(stripe_customer_id, health_patient_id, pharmacy_patient_id, crm_person_id, login_user_id))::int as n
       from registry.customers`,
    );
    expect(shown).toEqual(kept);
  });
});
