/** Signature primitives shared by every vendor folder: WebCrypto only, so Node and Deno run the same code. */

const encoder = new TextEncoder();
const HMAC_SHA256 = { name: "HMAC", hash: "SHA-256" };

/** HMAC-SHA256 over the parts in order; strings are taken as UTF-8. */
export async function hmacSha256(
  key: string | Uint8Array,
  ...parts: (string | Uint8Array)[]
): Promise<Uint8Array> {
  const cryptoKey = await crypto.subtle.importKey("raw", concat([key]), HMAC_SHA256, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(HMAC_SHA256, cryptoKey, concat(parts)));
}

export async function sha256Hex(data: string | Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", concat([data]))));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Throws on text that is not base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/**
 * True when one of the signatures is the HMAC-SHA256 of the parts under one of the keys, as `encode` writes it. An unset
 * (blank) key signs nothing. Everything is compared, so that the time does not tell which signature or key matched.
 */
export async function isSigned(
  signatures: readonly string[],
  keys: readonly (string | Uint8Array)[],
  encode: (mac: Uint8Array) => string,
  ...parts: (string | Uint8Array)[]
): Promise<boolean> {
  let signed = false;
  for (const key of keys) {
    if (typeof key === "string" && key.trim() === "") continue;
    const expected = encode(await hmacSha256(key, ...parts));
    for (const signature of signatures) signed = equalsInConstantTime(signature, expected) || signed;
  }
  return signed;
}

/** Compares two strings in a time that depends only on the length of `given`. An empty string equals nothing. */
export function equalsInConstantTime(given: string, expected: string): boolean {
  const a = encoder.encode(given);
  const b = encoder.encode(expected);
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i % Math.max(b.length, 1)] ?? 0);
  return difference === 0 && a.length > 0;
}

function concat(parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const bytes = parts.map((part) => (typeof part === "string" ? encoder.encode(part) : part));
  const joined = new Uint8Array(bytes.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of bytes) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
