import type { CrmProfile, LoginUser } from "../vendors/contract.ts";
import type { StripeCustomer } from "../vendors/stripe/client.ts";
import { OWNERS } from "./owners.ts";

type ContactMirror = (typeof OWNERS.contact.mirrors)[number];

/** What the owner of a customer's contact facts says, and what each mirror shows. Held in memory only. */
export interface ContactReading {
  crm: Pick<CrmProfile, "email" | "phone">;
  /** Null: the customer has no key there, or was deleted there. Such a mirror has nothing to compare. */
  stripe: Pick<StripeCustomer, "email" | "phone"> | null;
  registryEmail: string | null;
  login: Pick<LoginUser, "email" | "pendingEmail"> | null;
}

/** A mirror that does not show what the CRM says. The values must not be kept or logged: hash what is recorded. */
export interface ContactDifference {
  system: ContactMirror["system"];
  attribute: ContactMirror["attribute"];
  /** Null: the CRM has none. An email is then a question for a person, never a wipe; a phone is cleared. */
  owner: string | null;
  mirror: string | null;
  /** Right as soon as the customer confirms it to Supabase Auth, so there is nothing to repair. */
  awaitsConfirmation: boolean;
}

/**
 * What differs, mirror by mirror as `OWNERS.contact` lists them. Stripe and the registry keep an email as it is written
 * and are compared so; Supabase Auth keeps emails in lower case, so a login that differs in case alone does not differ.
 */
export function contactDifferences(reading: ContactReading): ContactDifference[] {
  return OWNERS.contact.mirrors.flatMap((mirror): ContactDifference[] => {
    const { system, attribute } = mirror;
    const shown = shownBy(mirror, reading);
    if (shown === undefined) return [];
    const owner = textOf(reading.crm[attribute]);
    if (isSame(system, owner, shown)) return [];
    const pending = system === "login" ? textOf(reading.login?.pendingEmail) : null;
    const awaitsConfirmation = owner !== null && isSame("login", owner, pending);
    return [{ system, attribute, owner, mirror: shown, awaitsConfirmation }];
  });
}

/** What a mirror shows; undefined where the customer is not in that system. */
function shownBy(mirror: ContactMirror, reading: ContactReading): string | null | undefined {
  switch (mirror.system) {
    case "stripe":
      return reading.stripe ? textOf(reading.stripe[mirror.attribute]) : undefined;
    case "registry":
      return textOf(reading.registryEmail);
    case "login":
      return reading.login ? textOf(reading.login.email) : undefined;
  }
}

function isSame(system: ContactMirror["system"], a: string | null, b: string | null): boolean {
  return system === "login" ? a?.toLowerCase() === b?.toLowerCase() : a === b;
}

/** An empty field and a missing one are the same: there is none. */
function textOf(value: string | null | undefined): string | null {
  return value?.trim() || null;
}
