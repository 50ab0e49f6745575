import { afterAll, beforeAll, expect, test } from "vitest";
import { OWNERS } from "../../src/shared/owners/owners.ts";
import { openSql, type Sql } from "../sql/support.ts";

/** Whatever knows a customer besides the row itself: keys, and an email to recognise them by. */
const CUSTOMER_COLUMNS = [
  "id",
  "email",
  "stripe_customer_id",
  "health_patient_id",
  "pharmacy_patient_id",
  "crm_person_id",
  "created_at",
  "login_user_id",
  "merged_into",
];

/** Columns whose name has a word of a fact that another system owns, and what they hold instead of it. */
const NOT_A_COPY: Readonly<Record<string, string>> = {
  "registry.products.name": "our own name of what the company sells",
  "tracker.refills.other_refills":
    "a finding of ours: how many of Stripe's subscriptions share one prescription",
  "tracker.renewals.billing_paused_at": "when we did it; whether it is paused is asked of Stripe",
  "tracker.renewals.billing_resumed_at": "when we did it",
};

let sql: Sql;
beforeAll(async () => void (sql = await openSql()));
afterAll(() => sql.drop());

async function columns(): Promise<string[]> {
  const rows = await sql.person(
    `select format('%s.%s.%s', table_schema, table_name, column_name) as name
     from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema in ('registry', 'tracker', 'clockwork') and table_type = 'BASE TABLE'
     order by table_schema, table_name, ordinal_position`,
  );
  return rows.map((row) => String(row["name"]));
}

/** The owned facts that a column's name speaks of: by whole words, so that `name` is in no `username`. */
function factsIn(column: string): string[] {
  const words = (column.split(".")[2] ?? "").split("_");
  return Object.values(OWNERS).filter(({ columnWords }) =>
    words.some((word) => columnWords.some((one) => [one, `${one}s`, `${one}es`].includes(word)))
  )
    .map(({ fact }) => fact);
}

/** The registry's own columns that OWNERS names as mirrors. */
const mirrors = Object.values(OWNERS).flatMap(({ mirrors }) =>
  mirrors.filter(({ system }) => system === "registry").map(({ attribute }) =>
    `registry.customers.${attribute}`
  )
);

test("registry.customers has the keys of each system and an email, and nothing that another system owns", async () => {
  const ours = (await columns()).filter((name) => name.startsWith("registry.customers."));
  expect(ours).toEqual(CUSTOMER_COLUMNS.map((name) => `registry.customers.${name}`));
});

test("no column of ours is a copy of a fact that another system owns, but the mirrors that OWNERS names", async () => {
  const all = await columns();
  expect(all.length).toBeGreaterThan(60);
  expect(mirrors).toEqual(["registry.customers.email"]);
  const copies = all.filter((name) => factsIn(name).length > 0);
  expect(copies.toSorted()).toEqual([...mirrors, ...Object.keys(NOT_A_COPY)].toSorted());
});

test.each(["phone", "emails", "shipping_address", "plan_state", "card_brand", "birth_date", "dose"])(
  "a column %s would be found",
  async (column) => {
    const found = await sql.undone(async (run) => {
      await run(`alter table tracker.orders add column ${column} text`);
      const rows = await run(
        "select column_name from information_schema.columns where table_schema = 'tracker' and table_name = 'orders'",
      );
      return rows.map((row) => `tracker.orders.${row["column_name"]}`).filter((name) =>
        factsIn(name).length > 0
      );
    });
    expect(found).toEqual([`tracker.orders.${column}`]);
  },
);

test("every table that names a customer is thought of when two become one", async () => {
  const rows = await sql.person(
    `select distinct conrelid::regclass::text as name from pg_constraint
     where contype = 'f' and confrelid = 'registry.customers'::regclass order by 1`,
  );
  expect(rows.map((row) => row["name"]), "see registry.merge_rows").toEqual([
    "clockwork.tasks",
    "registry.customers",
    "registry.former_keys",
    "registry.price_choices",
    "tracker.drift",
    "tracker.drift_looks",
    "tracker.first_prescriptions",
    "tracker.orders",
    "tracker.refills",
    "tracker.renewals",
  ]);
});
