import type { Database, Trx } from "../db/database.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import { KEY_SYSTEMS } from "../queue/step-data.ts";
import { type Customer, standing } from "./customers.ts";
import {
  customersWithEmail,
  holderOf,
  insertCustomer,
  inWords,
  keepFormer,
  type Key,
  KEYS,
  lockKeys,
  putKey,
  recogniseBy,
  retireKey,
} from "./keys.ts";
import { collidingRenewal, mergeRows } from "./merge.ts";
import { customerNamedBy, type Reference, told } from "./references.ts";

/** A person as a system shows them now: a key, and whatever says whose it is. */
export interface Sighting extends Key {
  /** Former records of the same system that this one stands for, by the word of their owner, and what is on them. */
  replaced: readonly { key: string; references: readonly Reference[] }[];
  /** What the company's own sign-up wrote on the record. */
  references: readonly Reference[];
  /** Another key of the same person, known for certain. */
  along?: Key | undefined;
  /** Hints only. */
  emails: readonly string[];
  /** True where a record that names nobody is a new customer's; false where a person says whose it is. */
  mayBeNew: boolean;
}

/** What came of it. `known`: nothing changed. `ask`, `merge`: a person decides. */
export type Identified =
  | { kind: "known" | "linked"; customerId: number }
  | { kind: "ask"; why: Reason; customerId?: number }
  | { kind: "merge"; from: number; into: number; why: Reason };

/**
 * Whose a key is, and puts it into that row. Only what the records say of themselves decides: our number or another key
 * on them, or their owner's word that one replaced another. An email decides nothing: families share one, and people
 * change and swap them. Where records say nothing, or contradict each other, a person is asked.
 */
export async function identify(trx: Trx, seen: Sighting): Promise<Identified> {
  await lockKeys(trx);
  const lost = await lostReference(trx, seen);
  if (lost) return { kind: "ask", why: lost };
  const named = new Set<number>();
  for (const reference of seen.references) {
    const customer = await customerNamedBy(trx, reference);
    if (customer !== undefined) named.add(customer);
  }
  const along = seen.along && await holderOf(trx, seen.along);
  if (along) named.add(along.customerId);
  const before = new Set<number>();
  for (const { key, references } of seen.replaced) {
    for (const reference of [{ system: seen.system, key }, ...references]) {
      const customer = await customerNamedBy(trx, reference);
      if (customer !== undefined) before.add(customer);
    }
  }
  const holder = await holderOf(trx, seen);
  if (holder?.why === null) return await identifyKnown(trx, seen, holder.customerId, named, before);
  if (holder) return await identifyFormer(trx, seen, { ...holder, why: holder.why ?? "" }, named);
  return await identifyUnknown(trx, seen, named, before);
}

/**
 * Why its references lead nowhere, if they do: a number that is no row's, or nothing but what names nobody. A key that
 * has its place, or a record that names its customer by something else, is not held up by what was never ours.
 */
export async function lostReference(db: Database | Trx, seen: Sighting): Promise<Reason | undefined> {
  let isNamed = (await holderOf(db, seen))?.why === null;
  let lost: Reference | undefined;
  for (const reference of seen.references) {
    if ((await customerNamedBy(db, reference)) !== undefined) isNamed = true;
    else if (typeof reference === "object" && "customerId" in reference) return nowhere(seen, reference);
    else lost ??= reference;
  }
  return lost && !isNamed ? nowhere(seen, lost) : undefined;
}

function nowhere(seen: Sighting, reference: Reference): Reason {
  return reason("REFERENCE_LEADS_NOWHERE", { what: inWords(seen), reference: told(reference) });
}

function ask(code: Reason["code"], details: Reason["details"], customerId?: number): Identified {
  return { kind: "ask", why: reason(code, details), ...(customerId === undefined ? {} : { customerId }) };
}

const without = (all: ReadonlySet<number>, one: number) => [...all].filter((id) => id !== one);

async function identifyKnown(
  trx: Trx,
  seen: Sighting,
  customerId: number,
  named: ReadonlySet<number>,
  before: ReadonlySet<number>,
): Promise<Identified> {
  const [other, ...more] = without(named, customerId);
  if (other !== undefined) {
    if (more.length > 0) return differ(seen, [customerId, other, ...more]);
    // Made of this key alone, before the record that names its customer was heard of: that customer's from now on.
    const canGoOver = await isMadeOf(trx, customerId, seen) && await hasRoom(trx, other, seen) &&
      await collidingRenewal(trx, customerId, other) === undefined;
    if (canGoOver) {
      await mergeRows(trx, customerId, other);
      return await complete(trx, seen, other, "linked");
    }
    return ask(
      "KEY_AND_REFERENCE_DIFFER",
      { what: inWords(seen), customer: customerId, other },
      customerId,
    );
  }
  const [former, ...formers] = without(before, customerId);
  if (former === undefined) return await complete(trx, seen, customerId, "known");
  return formers.length > 0
    ? differ(seen, [customerId, former, ...formers])
    : areOne(seen, former, customerId);
}

async function identifyFormer(
  trx: Trx,
  seen: Sighting,
  holder: { customerId: number; why: string },
  named: ReadonlySet<number>,
): Promise<Identified> {
  // A person put another key in its place, and late news of the old one changes nothing.
  if (holder.why === "replaced") return { kind: "known", customerId: holder.customerId };
  const isNamed = named.size === 1 && named.has(holder.customerId);
  if (isNamed && await hasRoom(trx, holder.customerId, seen)) {
    return await complete(trx, seen, holder.customerId, "linked");
  }
  return ask(
    "KEY_CAME_BACK",
    { what: inWords(seen), customer: holder.customerId, why: holder.why },
    holder.customerId,
  );
}

async function identifyUnknown(
  trx: Trx,
  seen: Sighting,
  named: ReadonlySet<number>,
  before: ReadonlySet<number>,
): Promise<Identified> {
  const [customerId, ...more] = new Set([...named, ...before]);
  if (customerId === undefined) return await identifyUnnamed(trx, seen);
  if (more.length > 0) {
    const [from] = without(before, customerId);
    return named.size === 1 && before.size === 1 && from !== undefined
      ? areOne(seen, from, customerId)
      : differ(seen, [customerId, ...more]);
  }
  const held = (await standing(trx, customerId))?.[KEYS[seen.system].column] ?? null;
  if (held !== null && !seen.replaced.some(({ key }) => key === held)) {
    return ask("CUSTOMER_HAS_ANOTHER_KEY", { what: inWords(seen), customer: customerId, other: held });
  }
  return await complete(trx, seen, customerId, "linked");
}

async function identifyUnnamed(trx: Trx, seen: Sighting): Promise<Identified> {
  const alike = await customersWithEmail(trx, seen.emails);
  if (alike.length > 0) {
    return ask("EMAIL_IS_NO_PROOF", { what: inWords(seen), customers: listOf(alike) });
  }
  if (!seen.mayBeNew) return ask("PATIENT_OF_NOBODY", { what: inWords(seen) });
  const [email] = seen.emails;
  const customerId = await insertCustomer(trx, [seen, ...(seen.along ? [seen.along] : [])], email);
  return { kind: "linked", customerId };
}

/** Puts the key, what it replaced, and the key known along with it into the row. */
async function complete(
  trx: Trx,
  seen: Sighting,
  customerId: number,
  kind: "known" | "linked",
): Promise<Identified> {
  const { along } = seen;
  const customer = await standing(trx, customerId);
  const heldAlong = along && customer?.[KEYS[along.system].column];
  if (along && heldAlong && heldAlong !== along.key) {
    return ask("CUSTOMER_HAS_ANOTHER_KEY", { what: inWords(along), customer: customerId, other: heldAlong });
  }
  for (const { key } of seen.replaced) {
    const former = { system: seen.system, key };
    await retireKey(trx, former, "merged");
    await keepFormer(trx, customerId, former, "merged");
  }
  if (kind === "linked" && customer?.[KEYS[seen.system].column] !== seen.key) {
    await putKey(trx, customerId, seen);
  }
  if (along && !heldAlong) await putKey(trx, customerId, along);
  await recogniseBy(trx, customerId, seen.emails[0]);
  return { kind: along && !heldAlong ? "linked" : kind, customerId };
}

/** True for a row that this key alone made: it knows nothing else. */
async function isMadeOf(trx: Trx, customerId: number, seen: Sighting): Promise<boolean> {
  const customer = await standing(trx, customerId);
  const former = await trx.selectFrom("registry.former_keys").select("id")
    .where("customer_id", "=", customerId).executeTakeFirst();
  return customer !== undefined && former === undefined &&
    keysOf(customer).every(({ system }) => system === seen.system);
}

/** True when the row has no other key of the same system, nor of the one known along with it. */
async function hasRoom(trx: Trx, customerId: number, seen: Sighting): Promise<boolean> {
  const customer = await standing(trx, customerId);
  return [seen, ...(seen.along ? [seen.along] : [])].every(({ system, key }) => {
    const held = customer?.[KEYS[system].column] ?? null;
    return held === null || held === key;
  });
}

/** A customer's live keys. */
export function keysOf(customer: Customer): Key[] {
  return KEY_SYSTEMS.flatMap((system) => {
    const key = customer[KEYS[system].column];
    return key === null ? [] : [{ system, key }];
  });
}

function differ(seen: Sighting, customers: readonly number[]): Identified {
  return ask("REFERENCES_DIFFER", { what: inWords(seen), customers: listOf(customers) });
}

function areOne(seen: Sighting, from: number, into: number): Identified {
  const why = reason("CUSTOMERS_ARE_ONE", {
    from,
    into,
    old: seen.replaced.map(({ key }) => key).join(", "),
    new: seen.key,
  });
  return { kind: "merge", from, into, why };
}

function listOf(customers: readonly number[]): string {
  return customers.toSorted((a, b) => a - b).join(", ");
}
