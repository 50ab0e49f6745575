import type { Database, Trx } from "../db/database.ts";
import { findCustomerById } from "./customers.ts";
import { holderOf, type Key, type KeySystem } from "./keys.ts";

/** In the metadata of a Stripe customer or checkout session: the number of the row in `registry.customers`. */
export const STRIPE_REFERENCE = "clockwork_customer";

/** The system of a FHIR identifier whose value is the number of the row in `registry.customers`. */
export const CUSTOMER_IDENTIFIER = "https://clockwork.invalid/customer";

/** Systems of FHIR identifiers whose value is a key of the same person elsewhere. */
const KEY_IDENTIFIERS: Readonly<Record<string, KeySystem>> = {
  "https://clockwork.invalid/stripe-customer": "stripe",
  "https://clockwork.invalid/pharmacy-patient": "pharmacy",
  "https://clockwork.invalid/crm-person": "crm",
  "https://clockwork.invalid/login": "login",
};

/** The reference on a vendor's record to its customer. `unreadable`: a text that is no reference of ours. */
export type Reference = { customerId: number } | Key | "unreadable";

const NUMBER = /^[1-9]\d{0,14}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A row's number in digits, or the uuid of a login. */
export function readReference(text: string): Reference {
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return { customerId: Number(trimmed) };
  return isUuid(trimmed) ? { system: "login", key: trimmed.toLowerCase() } : "unreadable";
}

/** The reference in Stripe metadata, if there is one. */
export function referencesIn(metadata: Readonly<Record<string, string>>): Reference[] {
  const reference = metadata[STRIPE_REFERENCE];
  return reference ? [readReference(reference)] : [];
}

/** The references among a Patient's identifiers. Identifiers of other systems are none of ours. */
export function referencesOf(identifiers: readonly { system: string; value: string }[]): Reference[] {
  return identifiers.flatMap(({ system, value }): Reference[] => {
    if (system === CUSTOMER_IDENTIFIER) return [readReference(value)];
    const of = KEY_IDENTIFIERS[system];
    if (of === undefined) return [];
    return [of === "login" ? readReference(value) : { system: of, key: value.trim() }];
  });
}

/** The reference as a person may read it. An unreadable one could be anything, so its text is left out. */
export function referenceInWords(reference: Reference): string {
  if (reference === "unreadable") return "an unreadable reference";
  return "customerId" in reference
    ? `customer ${reference.customerId}`
    : `${reference.system} ${reference.key}`;
}

/** The customer to whom a reference leads. */
export async function customerNamedBy(
  db: Database | Trx,
  reference: Reference,
): Promise<number | undefined> {
  if (reference === "unreadable") return undefined;
  if ("customerId" in reference) return (await findCustomerById(db, reference.customerId))?.id;
  return (await holderOf(db, reference))?.customerId;
}
