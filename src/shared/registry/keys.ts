import { sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { RegistryFormerKeysWhy } from "../db/types.ts";
import type { KEY_SYSTEMS } from "../queue/step-data.ts";

export type KeySystem = (typeof KEY_SYSTEMS)[number];

/** By `registry.customer_keys.system`: the column of `registry.customers` with its key, and the key's name for people. */
export const KEYS = {
  stripe: { column: "stripe_customer_id", called: "Stripe customer" },
  health: { column: "health_patient_id", called: "Patient" },
  pharmacy: { column: "pharmacy_patient_id", called: "Pharmacy patient" },
  crm: { column: "crm_person_id", called: "CRM person" },
  login: { column: "login_user_id", called: "Login" },
} as const satisfies Record<KeySystem, { column: string; called: string }>;

/** The key columns of `registry.customers`. */
export type CustomerKey = (typeof KEYS)[KeySystem]["column"];

/** A system's id of a customer. */
export interface Key {
  system: KeySystem;
  key: string;
}

/** The key as a person reads it, e.g. `Stripe customer cus_1`. */
export function inWords({ system, key }: Key): string {
  return `${KEYS[system].called} ${key}`;
}

/** Why a key is a former one (`registry.former_keys.why`). */
export type WhyFormer = RegistryFormerKeysWhy;

/** Keeps other transactions from changing a customer's keys until this one ends. Comes before the first read of keys. */
export async function lockKeys(trx: Trx): Promise<void> {
  await sql`select registry.lock_keys()`.execute(trx);
}

/** The customer of a key, live or former; `why` is null for a live key, which goes before a former one. */
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

/** The rows, in order of number, that have one of these emails in any case. A plus-alias is another address. */
export async function customersWithEmail(db: Database | Trx, emails: readonly string[]): Promise<number[]> {
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

/** Writes a key into a customer's row. A former key of theirs is a live one again. */
export async function putKey(trx: Trx, customerId: number, { system, key }: Key): Promise<void> {
  await trx.updateTable("registry.customers").set({ [KEYS[system].column]: key }).where("id", "=", customerId)
    .execute();
  await trx.deleteFrom("registry.former_keys").where("system", "=", system).where("key", "=", key).execute();
}

/** Writes an email to recognise a customer by, where the row has none. */
export async function recogniseBy(trx: Trx, customerId: number, email: string | undefined): Promise<void> {
  if (!email) return;
  await trx.updateTable("registry.customers").set({ email }).where("id", "=", customerId)
    .where("email", "is", null).execute();
}

/** Takes a live key out of its row and keeps it as a former one. Returns its customer; undefined for a key in no row. */
export async function makeFormer(trx: Trx, key: Key, why: WhyFormer): Promise<number | undefined> {
  const row = await trx
    .updateTable("registry.customers")
    .set({ [KEYS[key.system].column]: null })
    .where(KEYS[key.system].column, "=", key.key)
    .returning("id")
    .executeTakeFirst();
  if (row) await keepFormer(trx, row.id, key, why);
  return row?.id;
}

/** Keeps a former key of a customer. A row that is there already stays as it is. */
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
