import type { ShippingAddress } from "../vendors/contract.ts";
import { sha256Hex } from "../vendors/signing.ts";

const UNITED_STATES = new Set(["us", "usa", "united states", "united states of america"]);

/**
 * True when a parcel for one address arrives at the other. Case, punctuation and line breaks make no difference, nor do
 * the last four digits of a ZIP code. The name is no part of the address.
 */
export function isSameAddress(a: ShippingAddress, b: ShippingAddress): boolean {
  return plainAddress(a) === plainAddress(b);
}

/** A hash that tells one address from another: an order's question to a person must not hold the address itself. */
export async function markOf(reference: string, address: ShippingAddress | null): Promise<string> {
  return (await sha256Hex(`${reference}:${address ? plainAddress(address) : ""}`)).slice(0, 16);
}

function plainAddress({ street1, street2, city, state, postalCode, country }: ShippingAddress): string {
  const nation = UNITED_STATES.has(plain(country)) ? "us" : plain(country);
  const code = nation === "us" ? postalCode.replaceAll(/\D/g, "").slice(0, 5) : plain(postalCode);
  return [plain(`${street1} ${street2 ?? ""}`), plain(city), plain(state), code, nation].join("|");
}

function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, " ").trim();
}
