import type { Database, Trx } from "../db/database.ts";
import { Permanent } from "../queue/reasons.ts";

/** A customer: the keys by which each system knows them, nothing more. */
export interface Customer {
  id: number;
  stripe_customer_id: string | null;
  health_patient_id: string | null;
  pharmacy_patient_id: string | null;
  crm_person_id: string | null;
  login_user_id: string | null;
}

/** The key columns of `registry.customers`. */
export type CustomerKey = Exclude<keyof Customer, "id">;

const COLUMNS = [
  "id",
  "stripe_customer_id",
  "health_patient_id",
  "pharmacy_patient_id",
  "crm_person_id",
  "login_user_id",
] as const;

/** The customer whom a system knows by `key`, or undefined. */
export async function findCustomer(
  db: Database | Trx,
  column: CustomerKey,
  key: string,
): Promise<Customer | undefined> {
  return await db.selectFrom("registry.customers").select(COLUMNS).where(column, "=", key).executeTakeFirst();
}

/** As {@link findCustomer}; a customer nobody knows is for a person. */
export async function customerBy(db: Database | Trx, column: CustomerKey, key: string): Promise<Customer> {
  const customer = await findCustomer(db, column, key);
  if (!customer) throw new Permanent("UNKNOWN_CUSTOMER", { column, key });
  return customer;
}

export async function customerById(db: Database | Trx, id: number): Promise<Customer> {
  const customer = await db.selectFrom("registry.customers").select(COLUMNS).where("id", "=", id)
    .executeTakeFirst();
  // The number came from a person's edit.
  if (!customer) throw new Permanent("INVALID_DATA", { problem: `there is no customer ${id}` });
  return customer;
}

/** A key that a step cannot do without; a missing one is for a person to fill in. */
export function keyOf(customer: Customer, column: CustomerKey): string {
  const key = customer[column];
  if (!key) throw new Permanent("MISSING_CUSTOMER_KEY", { customer: customer.id, column });
  return key;
}
