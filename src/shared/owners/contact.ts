import { DAY_MS } from "../day.ts";
import type { CrmProfile } from "../vendors/crm.ts";
import type { LoginUser } from "../vendors/login.ts";
import type { StripeCustomer } from "../vendors/stripe/client.ts";
import { type Difference, OWNERS } from "./owners.ts";

/**
 * Days that a customer has to answer the mails about a new email. Their links are dead sooner (an hour, unless the
 * project says otherwise), and nobody can tell from outside.
 */
const CONFIRM_WITHIN_DAYS = 3;

type ContactMirror = (typeof OWNERS.contact.mirrors)[number];

/** A customer's contact facts at their owner, the CRM, and at each mirror. Held in memory only. */
export interface ContactReading {
  crm: Pick<CrmProfile, "email" | "phone">;
  /** Null: not read, or the customer has no live key there. Such a mirror has nothing to compare; so with the login. */
  stripe: Pick<StripeCustomer, "email" | "phone"> | null;
  registryEmail: string | null;
  login: (Pick<LoginUser, "email" | "pendingEmail"> & Partial<Pick<LoginUser, "pendingSince">>) | null;
}

/** `owner` null: the CRM has none. An email is then a question for a person, never a wipe; a phone is cleared. */
export type ContactDifference = Omit<Difference, "fact">;

/**
 * The mirrors that differ, in the order of `OWNERS.contact`. Stripe and the registry keep an email as it is written, and
 * are compared so. Supabase Auth keeps emails in lower case: a login that differs in case alone is the same.
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

/** True when Supabase Auth asked the customer about this email, and they have time to answer. */
function wasAskedFor(email: string, login: ContactReading["login"], now: Date | undefined): boolean {
  if (!isSame("login", email, textOf(login?.pendingEmail))) return false;
  const since = login?.pendingSince;
  return !since || !now || now.getTime() - since.getTime() < CONFIRM_WITHIN_DAYS * DAY_MS;
}

/** A mirror's value; undefined where the customer is not in that system. */
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

/** An empty field is the same as a missing one. */
function textOf(value: string | null | undefined): string | null {
  return value?.trim() || null;
}
