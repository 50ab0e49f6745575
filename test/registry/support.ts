import { sql } from "kysely";
import { register } from "../../scripts/sandbox/clinic.ts";
import { holderOf, type KeySystem } from "../../src/shared/registry/keys.ts";
import { CUSTOMER_IDENTIFIER, STRIPE_REFERENCE } from "../../src/shared/registry/references.ts";
import { setData, setStatus } from "../support/act.ts";
import type { World } from "../support/world.ts";

export const ADDRESS = { line: ["1 Example Street"], city: "Lexington", state: "KY", postalCode: "40507" };

let numbers = 0;

/** A key nobody has, e.g. `person-7`: tests of a file share a world. */
export function fresh(prefix: string): string {
  numbers += 1;
  return `${prefix}-${numbers}`;
}

/** A customer known by a CRM person, as a sign-up begins. */
export async function someone(
  world: World,
  keys: Parameters<typeof register>[1] = {},
): Promise<number> {
  return await register(world.db, { crm_person_id: fresh("crm"), ...keys });
}

export async function row(world: World, id: number) {
  return await world.db.selectFrom("registry.customers").selectAll().where("id", "=", id)
    .executeTakeFirstOrThrow();
}

/** Whom a key leads to, or undefined. */
export async function whose(world: World, system: KeySystem, key: string): Promise<number | undefined> {
  return (await holderOf(world.db, { system, key }))?.customerId;
}

export async function formerKeys(world: World, customerId: number) {
  return await world.db.selectFrom("registry.former_keys").select(["system", "key", "why"])
    .where("customer_id", "=", customerId).orderBy("id").execute();
}

/** What is asked about a key, oldest first. */
export async function questions(world: World, key: string) {
  return await world.db.selectFrom("clockwork.tasks").selectAll()
    .where("step", "=", "customer.link")
    .where(sql<boolean>`data ->> 'key' = ${key}`)
    .orderBy("id").execute();
}

export async function oneQuestion(world: World, key: string) {
  const [asked, ...more] = await questions(world, key);
  if (!asked || more.length > 0) throw new Error(`${key}: ${asked ? more.length + 1 : 0} questions, not one`);
  return asked;
}

/** A person answers: edits data, sets the status to PENDING. */
export async function answer(
  world: World,
  task: { id: number },
  data?: Parameters<typeof setData>[2],
): Promise<void> {
  if (data) await setData(world.db, task.id, data);
  await setStatus(world.db, task.id, "PENDING");
  await world.drainAll();
}

/** A Stripe customer, with our number on it if given. */
export function atStripe(world: World, fields: { email?: string; customer?: number }): string {
  const { email, customer } = fields;
  return world.vendors.stripe.createCustomer({
    email,
    ...(customer === undefined ? {} : { metadata: { [STRIPE_REFERENCE]: String(customer) } }),
  }).id;
}

/** A patient, with our number and other identifiers on the record if given. */
export function atHealthRecord(
  world: World,
  fields: { email?: string; customer?: number; identifiers?: { system: string; value: string }[] },
): string {
  const { email, customer, identifiers = [] } = fields;
  return world.vendors.health.createPatient({
    name: fresh("Patient"),
    address: ADDRESS,
    ...(email === undefined ? {} : { telecom: { email } }),
    identifiers: [
      ...identifiers,
      ...(customer === undefined ? [] : [{ system: CUSTOMER_IDENTIFIER, value: String(customer) }]),
    ],
  });
}

/** Longer than anybody waits for what a record names. */
export async function waitInVain(world: World): Promise<void> {
  await world.drainAll();
  await world.pass({ minutes: 11 });
  await world.drainAll();
}
