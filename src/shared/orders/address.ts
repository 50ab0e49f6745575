import type { ShippingAddress } from "../vendors/contract.ts";
import { sha256Hex } from "../vendors/signing.ts";

const UNITED_STATES = new Set(["us", "usa", "united states", "united states of america"]);

/**
 * Whether a parcel for one address arrives at the other. Case, punctuation, and where a line breaks mean nothing; a ZIP
 * code may have its last four digits or not. The name is no part of the place.
 */
export function isSamePlace(a: ShippingAddress, b: ShippingAddress): boolean {
  return placeOf(a) === placeOf(b);
}

/** Tells one address from another without being one: for an order's question to a person, which must not hold it. */
export async function markOf(reference: string, address: ShippingAddress | null): Promise<string> {
  return (await sha256Hex(`${reference}:${address ? placeOf(address) : ""}`)).slice(0, 16);
}

function placeOf({ street1, street2, city, state, postalCode, country }: ShippingAddress): string {
  const nation = UNITED_STATES.has(plain(country)) ? "us" : plain(country);
  const code = nation === "us" ? postalCode.replaceAll(/\D/g, "").slice(0, 5) : plain(postalCode);
  return [plain(`${street1} ${street2 ?? ""}`), plain(city), plain(state), code, nation].join("|");
}

function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, " ").trim();
}
