import type { Database, Trx } from "../db/database.ts";
import { type Reason, reason } from "../queue/reasons.ts";
import { KEY_SYSTEMS } from "../queue/step-data.ts";
import { findCustomerById } from "./customers.ts";
import {
  customersWithEmail,
  holderOf,
  insertCustomer,
  inWords,
  keepFormer,
  type Key,
  KEYS,
  lockKeys,
  makeFormer,
  putKey,
  recogniseBy,
} from "./keys.ts";
import { collidingRenewal, mergeRows } from "./merge.ts";
import { customerNamedBy, type Reference, referenceInWords } from "./references.ts";

/** A system's present record of a person: its key, and everything on it that tells whose it is. */
export interface Sighting extends Key {
  /** Former records of the same system that this one replaced, as their owner says, with their references. */
  replaced: readonly { key: string; references: readonly Reference[] }[];
  /** The references that the company's own sign-up wrote on the record. */
  references: readonly Reference[];
  /** Another key of the same person, known for certain. */
  along?: Key | undefined;
  /** Hints only. */
  emails: readonly string[];
  /** True where a record that names nobody is a new customer's; false where a person says whose it is. */
  mayBeNew: boolean;
}

/** `known`: nothing changed. `ask`, `merge`: a person decides. */
export type Identified =
  | { kind: "known" | "linked"; customerId: number }
  | { kind: "ask"; why: Reason; customerId?: number }
  | { kind: "merge"; from: number; into: number; why: Reason };

/**
 * Finds the customer of a key and links it. Only the records themselves decide: our number or another key on them, or
 * their owner's word that one replaced another. An email decides nothing: families share one, and people change and
 * swap them. A person is asked where records say nothing, or contradict each other.
 */
export async function identify(trx: Trx, sighting: Sighting): Promise<Identified> {
  await lockKeys(trx);
  const lost = await lostReference(trx, sighting);
  if (lost) return { kind: "ask", why: lost };
  const { system, references, along, replaced } = sighting;
  const named = await customersNamedBy(trx, [...references, ...(along ? [along] : [])]);
  const before = await customersNamedBy(
    trx,
    replaced.flatMap(({ key, references }) => [{ system, key }, ...references]),
  );
  const holder = await holderOf(trx, sighting);
  if (!holder) return await identifyUnknown(trx, sighting, named, before);
  const { customerId, why } = holder;
  return why === null
    ? await identifyKnown(trx, sighting, customerId, named, before)
    : await identifyFormer(trx, sighting, customerId, why, named);
}

async function customersNamedBy(trx: Trx, references: readonly Reference[]): Promise<Set<number>> {
  const customers = new Set<number>();
  for (const reference of references) {
    const customer = await customerNamedBy(trx, reference);
    if (customer !== undefined) customers.add(customer);
  }
  return customers;
}

/**
 * The reason when the record's references lead nowhere: a number that is no row's, or none that names a customer. A
 * linked key, or a record that another reference names, is not stopped by a reference that is not ours.
 */
export async function lostReference(db: Database | Trx, sighting: Sighting): Promise<Reason | undefined> {
  let isNamed = (await holderOf(db, sighting))?.why === null;
  let lost: Reference | undefined;
  for (const reference of sighting.references) {
    if ((await customerNamedBy(db, reference)) !== undefined) isNamed = true;
    else if (typeof reference === "object" && "customerId" in reference) return nowhere(sighting, reference);
    else lost ??= reference;
  }
  return lost && !isNamed ? nowhere(sighting, lost) : undefined;
}

function nowhere(sighting: Sighting, reference: Reference): Reason {
  const details = { what: inWords(sighting), reference: referenceInWords(reference) };
  return reason("REFERENCE_LEADS_NOWHERE", details);
}

function ask(code: Reason["code"], details: Reason["details"], customerId?: number): Identified {
  return { kind: "ask", why: reason(code, details), ...(customerId === undefined ? {} : { customerId }) };
}

const without = (all: ReadonlySet<number>, one: number) => [...all].filter((id) => id !== one);

async function identifyKnown(
  trx: Trx,
  sighting: Sighting,
  customerId: number,
  named: ReadonlySet<number>,
  before: ReadonlySet<number>,
): Promise<Identified> {
  const [other, ...more] = without(named, customerId);
  if (other !== undefined) {
    if (more.length > 0) return differ(sighting, [customerId, other, ...more]);
    // A row made of this key alone, before the record that names its customer was heard of, becomes that customer's.
    const canGoOver = await isMadeOf(trx, customerId, sighting) && await hasRoom(trx, other, sighting) &&
      await collidingRenewal(trx, customerId, other) === undefined;
    if (canGoOver) {
      await mergeRows(trx, customerId, other);
      return await complete(trx, sighting, other, "linked");
    }
    const details = { what: inWords(sighting), customer: customerId, other };
    return ask("KEY_AND_REFERENCE_DIFFER", details, customerId);
  }
  const [former, ...formers] = without(before, customerId);
  if (former === undefined) return await complete(trx, sighting, customerId, "known");
  return formers.length > 0
    ? differ(sighting, [customerId, former, ...formers])
    : areOne(sighting, former, customerId);
}

async function identifyFormer(
  trx: Trx,
  sighting: Sighting,
  customerId: number,
  why: string,
  named: ReadonlySet<number>,
): Promise<Identified> {
  // A person gave the customer another key, and late news of the old one changes nothing.
  if (why === "replaced") return { kind: "known", customerId };
  const isNamed = named.size === 1 && named.has(customerId);
  if (isNamed && await hasRoom(trx, customerId, sighting)) {
    return await complete(trx, sighting, customerId, "linked");
  }
  return ask("KEY_CAME_BACK", { what: inWords(sighting), customer: customerId, why }, customerId);
}

async function identifyUnknown(
  trx: Trx,
  sighting: Sighting,
  named: ReadonlySet<number>,
  before: ReadonlySet<number>,
): Promise<Identified> {
  const [customerId, ...more] = new Set([...named, ...before]);
  if (customerId === undefined) return await identifyUnnamed(trx, sighting);
  if (more.length > 0) {
    const [from] = without(before, customerId);
    return named.size === 1 && before.size === 1 && from !== undefined
      ? areOne(sighting, from, customerId)
      : differ(sighting, [customerId, ...more]);
  }
  const current = (await findCustomerById(trx, customerId))?.[KEYS[sighting.system].column] ?? null;
  if (current !== null && !sighting.replaced.some(({ key }) => key === current)) {
    const details = { what: inWords(sighting), customer: customerId, other: current };
    return ask("CUSTOMER_HAS_ANOTHER_KEY", details);
  }
  return await complete(trx, sighting, customerId, "linked");
}

async function identifyUnnamed(trx: Trx, sighting: Sighting): Promise<Identified> {
  const { along, emails, mayBeNew } = sighting;
  const alike = await customersWithEmail(trx, emails);
  if (alike.length > 0) {
    return ask("EMAIL_IS_NO_PROOF", { what: inWords(sighting), customers: listOf(alike) });
  }
  if (!mayBeNew) return ask("PATIENT_OF_NOBODY", { what: inWords(sighting) });
  const customerId = await insertCustomer(trx, [sighting, ...(along ? [along] : [])], emails[0]);
  return { kind: "linked", customerId };
}

/** Writes the key, the keys it replaced, and the key known along with it into the row. */
async function complete(
  trx: Trx,
  sighting: Sighting,
  customerId: number,
  kind: "known" | "linked",
): Promise<Identified> {
  const { system, along } = sighting;
  const customer = await findCustomerById(trx, customerId);
  const currentAlong = along && customer?.[KEYS[along.system].column];
  if (along && currentAlong && currentAlong !== along.key) {
    const details = { what: inWords(along), customer: customerId, other: currentAlong };
    return ask("CUSTOMER_HAS_ANOTHER_KEY", details);
  }
  for (const { key } of sighting.replaced) {
    await makeFormer(trx, { system, key }, "merged");
    await keepFormer(trx, customerId, { system, key }, "merged");
  }
  if (kind === "linked" && customer?.[KEYS[system].column] !== sighting.key) {
    await putKey(trx, customerId, sighting);
  }
  if (along && !currentAlong) await putKey(trx, customerId, along);
  await recogniseBy(trx, customerId, sighting.emails[0]);
  return { kind: along && !currentAlong ? "linked" : kind, customerId };
}

/** True for a row that this key alone made: it has no key of another system, and no former one. */
async function isMadeOf(trx: Trx, customerId: number, { system }: Sighting): Promise<boolean> {
  const customer = await findCustomerById(trx, customerId);
  const former = await trx.selectFrom("registry.former_keys").select("id")
    .where("customer_id", "=", customerId).executeTakeFirst();
  return customer !== undefined && former === undefined &&
    KEY_SYSTEMS.every((one) => one === system || customer[KEYS[one].column] === null);
}

/** True when the row has no other key of the same system, nor of the system known along with it. */
async function hasRoom(trx: Trx, customerId: number, sighting: Sighting): Promise<boolean> {
  const customer = await findCustomerById(trx, customerId);
  return [sighting, ...(sighting.along ? [sighting.along] : [])].every(({ system, key }) => {
    const current = customer?.[KEYS[system].column] ?? null;
    return current === null || current === key;
  });
}

function differ(sighting: Sighting, customers: readonly number[]): Identified {
  return ask("REFERENCES_DIFFER", { what: inWords(sighting), customers: listOf(customers) });
}

function areOne({ key, replaced }: Sighting, from: number, into: number): Identified {
  const old = replaced.map((one) => one.key).join(", ");
  return { kind: "merge", from, into, why: reason("CUSTOMERS_ARE_ONE", { from, into, old, new: key }) };
}

function listOf(customers: readonly number[]): string {
  return customers.toSorted((a, b) => a - b).join(", ");
}
