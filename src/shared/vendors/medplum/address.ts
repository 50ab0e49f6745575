import type { ShippingAddress } from "../contract.ts";
import { firstInstant, periodContains } from "./dates.ts";
import type { Patient } from "./fhir.ts";

/** The company ships within one country; FHIR lets `country` be absent. */
const DEFAULT_COUNTRY = "US";

/** Old addresses stay on a Patient for ever; a billing address is nobody's doorstep. */
const NOT_FOR_SHIPPING = new Set(["old", "billing"]);

type Address = NonNullable<Patient["address"]>[number];

/**
 * The address to ship to at `now`: of those in use (not old, not billing, period not over and not yet to come),
 * the home address first, then the one that began last, then the one listed first. Null when that one is incomplete
 * (a street line, city, state, postal code): another one could be where the patient lived before.
 */
export function shippingAddress(patient: Patient, now: Date, timeZone: string): ShippingAddress | null {
  const [address] = (patient.address ?? [])
    .filter(({ use, period }) => !NOT_FOR_SHIPPING.has(use ?? "") && periodContains(period, now, timeZone))
    .sort((a, b) => Number(b.use === "home") - Number(a.use === "home") || began(b) - began(a));
  if (!address) return null;
  const [street1, ...more] = filled(address.line ?? []);
  const city = trimmed(address.city);
  const state = trimmed(address.state);
  const postalCode = trimmed(address.postalCode);
  if (!street1 || !city || !state || !postalCode) return null;
  return {
    name: nameOf(patient),
    street1,
    street2: more.join(", ") || null,
    city,
    state,
    postalCode,
    country: trimmed(address.country) || DEFAULT_COUNTRY,
  };
}

/** The official name, else the usual one, else the first that is not an old one. */
function nameOf(patient: Patient): string | null {
  const names = (patient.name ?? []).filter(({ use }) => use !== "old");
  const name = names.find(({ use }) => use === "official") ?? names.find(({ use }) => use === "usual") ??
    names[0];
  return filled([...(name?.given ?? []), name?.family]).join(" ") || trimmed(name?.text) || null;
}

function filled(texts: readonly (string | null | undefined)[]): string[] {
  return texts.map(trimmed).filter((text) => text !== "");
}

/** An address without a start is older than any that has one. */
function began({ period }: Address): number {
  return firstInstant(period?.start) ?? -Number.MAX_VALUE;
}

function trimmed(value: string | null | undefined): string {
  return value?.trim() ?? "";
}
