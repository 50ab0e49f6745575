import pg from "pg";
import { onTestFinished } from "vitest";
import { createTestDatabase } from "../support/database.ts";

export type Row = Record<string, unknown>;
export type Run = (sql: string, values?: readonly unknown[]) => Promise<Row[]>;

/** A database of its own, spoken to in plain SQL. */
export interface Sql {
  /** As role `postgres` without an actor: what the table editor does. */
  person: Run;
  /** As the machinery: with `clockwork.actor` set for the transaction. */
  machinery: Run;
  superuserUrl: string;
  /** Work in one transaction that is always undone. */
  undone<Result>(work: (run: Run) => Promise<Result>, asSuperuser?: boolean): Promise<Result>;
  drop(): Promise<void>;
}

export async function openSql(): Promise<Sql> {
  const database = await createTestDatabase();
  const { pool } = database;
  const person: Run = async (sql, values = []) => (await pool.query(sql, [...values])).rows;
  return {
    person,
    superuserUrl: database.superuserUrl,
    async machinery(sql, values = []) {
      const client = await pool.connect();
      try {
        await client.query("begin; select set_config('clockwork.actor', 'clockwork:test', true)");
        const { rows } = await client.query(sql, [...values]);
        await client.query("commit");
        return rows;
      } catch (error) {
        await client.query("rollback");
        throw error;
      } finally {
        client.release();
      }
    },
    async undone(work, asSuperuser = false) {
      const client = new pg.Client({
        connectionString: asSuperuser ? database.superuserUrl : database.url,
      });
      await client.connect();
      try {
        await client.query("begin");
        return await work(async (sql, values = []) => (await client.query(sql, [...values])).rows);
      } finally {
        await client.query("rollback");
        await client.end();
      }
    },
    drop: () => database.drop(),
  };
}

/** A database for one test. */
export async function sqlForTest(): Promise<Sql> {
  const sql = await openSql();
  onTestFinished(() => sql.drop());
  return sql;
}

export async function one(run: Run, sql: string, values: readonly unknown[] = []): Promise<Row> {
  const rows = await run(sql, values);
  const [row] = rows;
  if (!row || rows.length > 1) throw new Error(`${rows.length} rows instead of one: ${sql}`);
  return row;
}

export const STATUSES = ["PENDING", "QUEUED", "DONE", "MANUAL_INTERVENTION", "PARKED", "CANCELLED"] as const;
export type Status = (typeof STATUSES)[number];

/** What the named constraints ask of a task in this status. */
export function companions(status: Status): Record<string, string> {
  return {
    reason: status === "MANUAL_INTERVENTION" || status === "PARKED" ? "'Something is wrong.'" : "null",
    reason_code: status === "MANUAL_INTERVENTION" || status === "PARKED" ? "'INTERNAL_ERROR'" : "null",
    job_id: status === "QUEUED" ? "gen_random_uuid()" : "null",
    done_at: status === "DONE" ? "clockwork.now()" : "null",
  };
}

/** A task put straight into a status. Gives its id. `also` is SQL by column. */
export async function taskIn(
  run: Run,
  status: Status,
  also: Record<string, string> = {},
): Promise<string> {
  const columns = { step: "'test.step'", ...companions(status), ...also };
  const row = await one(
    run,
    `insert into clockwork.tasks (status, ${Object.keys(columns).join(", ")})
     values ('${status}', ${Object.values(columns).join(", ")}) returning id`,
  );
  return String(row["id"]);
}

/** A customer and a product to hang orders on. */
export async function customerAndProduct(
  run: Run,
  name = "ada",
): Promise<{ customer: string; product: string }> {
  const { id: customer } = await one(
    run,
    `insert into registry.customers (email) values ('${name}@example.com') returning id`,
  );
  const { id: product } = await one(
    run,
    `insert into registry.products (name) values ('${name}''s tablets') returning id`,
  );
  return { customer: String(customer), product: String(product) };
}

let lines = 0;

/** An order of its own invoice line. `also` is SQL by column. Gives its id. */
export async function orderIn(
  run: Run,
  state: string,
  of: { customer: string; product: string },
  also: Record<string, string> = {},
): Promise<string> {
  lines += 1;
  const columns: Record<string, string> = {
    state: `'${state}'`,
    customer_id: of.customer,
    product_id: of.product,
    invoice_id: `'in_${lines}'`,
    invoice_line_id: `'il_${lines}'`,
    subscription_id: `'sub_${lines}'`,
    fill_number: "1",
    fill_on: "clockwork.now()",
    ...also,
  };
  const row = await one(
    run,
    `insert into tracker.orders (${Object.keys(columns).join(", ")})
     values (${Object.values(columns).join(", ")}) returning id`,
  );
  return String(row["id"]);
}
