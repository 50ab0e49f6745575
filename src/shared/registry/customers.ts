import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import { Permanent } from "../queue/reasons.ts";
import { KEY_SYSTEMS } from "../queue/step-data.ts";
import type { Commit, Outcome, StepContext } from "../queue/step.ts";
import { type CustomerKey, KEYS, lockKeys } from "./keys.ts";

/** A customer: the keys by which each system knows them, nothing more. */
export interface Customer extends Record<CustomerKey, string | null> {
  id: number;
}

const COLUMNS = [
  "id",
  "stripe_customer_id",
  "health_patient_id",
  "pharmacy_patient_id",
  "crm_person_id",
  "login_user_id",
] as const;

/**
 * The customer whom a system knows by `key`, or undefined. A former key leads to its customer too, so that late news is
 * nobody else's.
 */
export async function findCustomer(
  db: Database | Trx,
  column: CustomerKey,
  key: string,
): Promise<Customer | undefined> {
  const live = await db.selectFrom("registry.customers").select(COLUMNS).where(column, "=", key)
    .executeTakeFirst();
  if (live) return live;
  const former = await db
    .selectFrom("registry.customer_keys")
    .select("customer_id")
    .where("system", "in", KEY_SYSTEMS.filter((system) => KEYS[system].column === column))
    .where("key", "=", key)
    .executeTakeFirst();
  return former?.customer_id ? await findCustomerById(db, former.customer_id) : undefined;
}

/** As {@link findCustomer}; an unknown customer is for a person. */
export async function customerBy(db: Database | Trx, column: CustomerKey, key: string): Promise<Customer> {
  const customer = await findCustomer(db, column, key);
  if (customer) return customer;
  throw new Permanent("UNKNOWN_CUSTOMER", { column, key }, async (trx) => {
    await lockKeys(trx);
    return (await findCustomer(trx, column, key)) !== undefined;
  });
}

/** The outcome of news about the customer with this key: `commit` acts on it. News of an unknown key is done. */
export async function forCustomer(
  ctx: StepContext,
  column: CustomerKey,
  key: string | null | undefined,
  commit: (trx: Trx, customerId: number) => ReturnType<Commit>,
): Promise<Outcome> {
  const customer = key ? await findCustomer(ctx.deps.db, column, key) : undefined;
  if (!customer) return { kind: "done" };
  ctx.about({ customerId: customer.id });
  return { kind: "done", commit: (trx) => commit(trx, customer.id) };
}

/** As {@link findCustomerById}; a missing row is for a person, whose edit the number comes from. */
export async function customerById(db: Database | Trx, id: number): Promise<Customer> {
  const customer = await findCustomerById(db, id);
  if (!customer) throw new Permanent("CUSTOMER_NOT_THERE", { customer: id });
  return customer;
}

/** The customer of this number, or the one into whom they were merged; undefined where there is no such number. */
export async function findCustomerById(db: Database | Trx, id: number): Promise<Customer | undefined> {
  return await db
    .selectFrom("registry.customers")
    .select(COLUMNS)
    .where("id", "=", (eb) =>
      eb.selectFrom("registry.customers as named")
        .select(sql<number>`coalesce(named.merged_into, named.id)`.as("id"))
        .where("named.id", "=", id))
    .executeTakeFirst();
}

/** A key that a step cannot do without; a person fills in a missing one. */
export function keyOf(customer: Customer, column: CustomerKey): string {
  const key = customer[column];
  if (key) return key;
  throw new Permanent("MISSING_CUSTOMER_KEY", { customer: customer.id, column }, async (trx) => {
    await lockKeys(trx);
    return Boolean((await findCustomerById(trx, customer.id))?.[column]);
  });
}
