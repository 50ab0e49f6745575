import { sql } from "kysely";
import type { Person } from "../../scripts/sandbox/clinic.ts";
import { makeWorld, type World } from "../support/world.ts";

/** A shop with so many customers, each a person at every vendor. */
export async function worldOf(...names: string[]): Promise<{ world: World; people: Person[] }> {
  const world = await makeWorld();
  await world.clinic.openShop();
  const people: Person[] = [];
  for (const name of names) people.push(await world.clinic.signUp(name));
  await world.drainAll();
  return { world, people };
}

/** What every system shows of a customer's contact facts. */
export async function contactOf(world: World, person: Person) {
  const stripe = world.vendors.stripe.state.customers.get(person.stripeCustomerId);
  const { email } = await world.db.selectFrom("registry.customers").select("email")
    .where("id", "=", person.customerId).executeTakeFirstOrThrow();
  const login = world.vendors.login.users.get(person.loginUserId);
  return {
    stripe: [stripe?.email, stripe?.phone],
    registry: email,
    login: [login?.email, login?.newEmail],
  };
}

/** Calls a vendor's sandbox has had of an operation. */
export function calls(world: World, vendor: "stripe" | "crm" | "login", operation: string): number {
  return world.vendors[vendor].faults.calls.get(operation) ?? 0;
}

/** A shop with one customer. */
export async function onePerson(): Promise<{ world: World; person: Person }> {
  const { world, people: [person] } = await worldOf("Ada Example");
  if (!person) throw new Error("nobody signed up");
  return { world, person };
}

/** Every row of every table of the database as text, by table, and what was logged. */
export async function everyText(world: World): Promise<Map<string, string>> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', table_schema, table_name) as name
    from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')
  `.execute(world.db);
  const found = new Map([["the log", JSON.stringify(world.lines)]]);
  for (const { name } of tables) {
    const { rows } = await sql<{ all: string | null }>`
      select string_agg(t::text, E'\n') as all from ${sql.raw(name)} as t`.execute(world.db);
    found.set(name, rows[0]?.all ?? "");
  }
  return found;
}
