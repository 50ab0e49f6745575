import { DAY_MS } from "../day.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import type { LoginUser } from "../vendors/login.ts";
import type { StripeCustomer } from "../vendors/stripe/client.ts";
import { OWNERS } from "./owners.ts";

/**
 * How long a customer has to answer the mails about a new email. Their links are dead sooner (an hour, unless the project
 * says otherwise), and nobody can tell from outside.
 */
export const CONFIRM_WITHIN_DAYS = 3;

type ContactMirror = (typeof OWNERS.contact.mirrors)[number];

/** What the owner of a customer's contact facts says, and what each mirror shows. Held in memory only. */
export interface ContactReading {
  crm: Pick<CrmProfile, "email" | "phone">;
  /** Null: the customer has no key there, or was deleted there. Such a mirror has nothing to compare. */
  stripe: Pick<StripeCustomer, "email" | "phone"> | null;
  registryEmail: string | null;
  login: (Pick<LoginUser, "email" | "pendingEmail"> & Partial<Pick<LoginUser, "pendingSince">>) | null;
}

/** A mirror that does not show what the CRM says. The values must not be kept or logged: hash what is recorded. */
export interface ContactDifference {
  system: ContactMirror["system"];
  attribute: ContactMirror["attribute"];
  /** Null: the CRM has none. An email is then a question for a person, never a wipe; a phone is cleared. */
  owner: string | null;
  mirror: string | null;
  /** Right as soon as the customer confirms it to Supabase Auth, who asked not long ago: there is nothing to repair. */
  awaitsConfirmation: boolean;
}

/**
 * What differs, mirror by mirror as `OWNERS.contact` lists them. Stripe and the registry keep an email as it is written
 * and are compared so; Supabase Auth keeps emails in lower case, so a login that differs in case alone does not differ.
 * @param now without it, a customer who was asked has for ever to answer
 */
export function contactDifferences(reading: ContactReading, now?: Date): ContactDifference[] {
  return OWNERS.contact.mirrors.flatMap((mirror): ContactDifference[] => {
    const { system, attribute } = mirror;
    const shown = shownBy(mirror, reading);
    if (shown === undefined) return [];
    const owner = textOf(reading.crm[attribute]);
    if (isSame(system, owner, shown)) return [];
    const awaitsConfirmation = system === "login" && owner !== null && wasAskedFor(owner, reading.login, now);
    return [{ system, attribute, owner, mirror: shown, awaitsConfirmation }];
  });
}

/** Whether the customer was asked about this email, and has time to answer. */
function wasAskedFor(email: string, login: ContactReading["login"], now: Date | undefined): boolean {
  if (!isSame("login", email, textOf(login?.pendingEmail))) return false;
  const since = login?.pendingSince;
  return !since || !now || now.getTime() - since.getTime() < CONFIRM_WITHIN_DAYS * DAY_MS;
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
