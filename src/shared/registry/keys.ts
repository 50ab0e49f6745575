import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { RegistryFormerKeysWhy } from "../db/types.ts";
import type { KEY_SYSTEMS } from "../queue/step-data.ts";

export type KeySystem = (typeof KEY_SYSTEMS)[number];

/** The systems that know customers, by the names of `registry.customer_keys.system`: where the row has their key, and what to call it. */
export const KEYS = {
  stripe: { column: "stripe_customer_id", called: "Stripe customer" },
  health: { column: "health_patient_id", called: "Patient" },
  pharmacy: { column: "pharmacy_patient_id", called: "Pharmacy patient" },
  crm: { column: "crm_person_id", called: "CRM person" },
  login: { column: "login_user_id", called: "Login" },
} as const satisfies Record<KeySystem, { column: string; called: string }>;

/** The key columns of `registry.customers`. */
export type CustomerKey = (typeof KEYS)[KeySystem]["column"];

const SYSTEMS = {
  stripe_customer_id: "stripe",
  health_patient_id: "health",
  pharmacy_patient_id: "pharmacy",
  crm_person_id: "crm",
  login_user_id: "login",
} as const satisfies Record<CustomerKey, KeySystem>;

export function systemOf(column: CustomerKey): KeySystem {
  return SYSTEMS[column];
}

/** A key and whose it is. */
export interface Key {
  system: KeySystem;
  key: string;
}

/** The key as a person reads it, e.g. `Stripe customer cus_1`. */
export function inWords({ system, key }: Key): string {
  return `${KEYS[system].called} ${key}`;
}

/** Why a key is no key any more (`registry.former_keys.why`). */
export type WhyFormer = RegistryFormerKeysWhy;

/** From here to the end of the transaction nobody else changes a customer's keys. Before looking, not after. */
export async function lockKeys(trx: Trx): Promise<void> {
  await sql`select registry.lock_keys()`.execute(trx);
}

/** Whom a key leads to; `why` is null for a live key. A live one goes before a former one of the same customer. */
export async function holderOf(
  db: Database | Trx,
  { system, key }: Key,
): Promise<{ customerId: number; why: string | null } | undefined> {
  const row = await db
    .selectFrom("registry.customer_keys")
    .select(["customer_id", "why"])
    .where("system", "=", system)
    .where("key", "=", key)
    .orderBy(sql`why is not null`)
    .limit(1)
    .executeTakeFirst();
  return row?.customer_id ? { customerId: row.customer_id, why: row.why } : undefined;
}

/** The rows, in order of number, whose email is one of these, whatever its case. A plus-alias is another address. */
export async function customersWithEmail(
  db: Database | Trx,
  emails: readonly string[],
): Promise<number[]> {
  const addresses = emails.map((email) => email.trim()).filter((email) => email !== "");
  if (addresses.length === 0) return [];
  const rows = await db
    .selectFrom("registry.customers")
    .select("id")
    .where(sql<boolean>`lower(email) in (select lower(address) from unnest(${addresses}::text[]) as address)`)
    .where("merged_into", "is", null)
    .orderBy("id")
    .execute();
  return rows.map(({ id }) => id);
}

/** A new customer with these keys, and an email to recognise them by. */
export async function insertCustomer(
  trx: Trx,
  keys: readonly Key[],
  email: string | null | undefined,
): Promise<number> {
  const columns = Object.fromEntries(keys.map(({ system, key }) => [KEYS[system].column, key]));
  const { id } = await trx.insertInto("registry.customers").values({ ...columns, email: email || null })
    .returning("id").executeTakeFirstOrThrow();
  return id;
}

/** Puts a key into a customer's row. A former key of theirs is a live one again. */
export async function putKey(trx: Trx, customerId: number, { system, key }: Key): Promise<void> {
  await trx.updateTable("registry.customers").set({ [KEYS[system].column]: key }).where("id", "=", customerId)
    .execute();
  await trx.deleteFrom("registry.former_keys").where("system", "=", system).where("key", "=", key).execute();
}

/** An email to recognise a customer by, where the row has none. */
export async function recogniseBy(trx: Trx, customerId: number, email: string | undefined): Promise<void> {
  if (!email) return;
  await trx.updateTable("registry.customers").set({ email }).where("id", "=", customerId)
    .where("email", "is", null).execute();
}

/** Takes a live key out of its row and keeps it as a former one. Gives whose it was; undefined for nobody's. */
export async function retireKey(trx: Trx, key: Key, why: WhyFormer): Promise<number | undefined> {
  const row = await trx
    .updateTable("registry.customers")
    .set({ [KEYS[key.system].column]: null })
    .where(KEYS[key.system].column, "=", key.key)
    .returning("id")
    .executeTakeFirst();
  if (row) await keepFormer(trx, row.id, key, why);
  return row?.id;
}

/** Notes that a key was a customer's. What is known of it already stays. */
export async function keepFormer(
  trx: Trx,
  customerId: number,
  { system, key }: Key,
  why: WhyFormer,
): Promise<void> {
  await trx.insertInto("registry.former_keys").values({ customer_id: customerId, system, key, why })
    .onConflict((conflict) => conflict.constraint("a_former_key_belongs_to_one_customer").doNothing())
    .execute();
}
