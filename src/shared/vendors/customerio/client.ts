import { callVendor, type Fetch } from "../call.ts";
import { type Crm, VendorError } from "../contract.ts";

export interface CustomerioOptions {
  /** `https://track.customer.io`, or `https://track-eu.customer.io` for a workspace in the EU. */
  trackUrl: string;
  siteId: string;
  apiKey: string;
  fetch: Fetch;
}

/** Event data under these keys would override the campaign's own sender and recipient. */
const RESERVED_DATA_KEYS: readonly string[] = ["recipient", "from_address", "reply_to"];

/**
 * The CRM over Customer.io's Track API (docs.customer.io/api/track). A 200 says that the event was taken,
 * not that a campaign started. An event older than 72 h is stored and starts none.
 * Throws {@link VendorError}; a refusal never carries Customer.io's words.
 */
export function makeCustomerioClient({ trackUrl, siteId, apiKey, fetch }: CustomerioOptions): Crm {
  const base = trackUrl.replace(/\/+$/, "");
  const authorization = `Basic ${btoa(`${siteId}:${apiKey}`)}`;
  return {
    async sendEvent({ personId, id, name, at, tellAt = at, data }) {
      const operation = "send event";
      const person = pathSegment(personId);
      if (person === null) throw new VendorError("crm", "refused", operation, { code: "person_id" });
      const body = {
        name,
        id: await ulidFor(id, at),
        timestamp: Math.floor(tellAt.getTime() / 1000),
        data: Object.fromEntries(Object.entries(data).filter(([key]) => !RESERVED_DATA_KEYS.includes(key))),
      };
      const response = await callVendor(
        fetch,
        "crm",
        operation,
        `${base}/api/v1/customers/${person}/events`,
        {
          method: "POST",
          headers: { authorization, "content-type": "application/json" },
          body: JSON.stringify(body),
        },
      );
      await response.body?.cancel().catch(() => {});
    },
  };
}

/**
 * The id as one segment of a path, or null when it cannot be one. `.` and `..` vanish from a URL even when
 * encoded, and Customer.io can answer 200 to a path it does not know: such an event would be lost unseen.
 */
function pathSegment(id: string): string | null {
  if (id === "" || id === "." || id === "..") return null;
  try {
    return encodeURIComponent(id);
  } catch {
    return null;
  }
}

/** Crockford base 32. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * Customer.io drops a second event with the same id, and takes only a ULID for an id. This one is made, not
 * drawn: 48 bits of `at` (ms) and 80 bits of SHA-256 of `key`, so the same key and time give the same id.
 * Throws RangeError for a time that a ULID cannot hold.
 */
export async function ulidFor(key: string, at: Date): Promise<string> {
  const time = at.getTime();
  if (!(time >= 0 && time < 2 ** 48)) throw new RangeError("a ULID holds times from 1970 to 10889");
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
  let bits = BigInt(time);
  for (const byte of hash.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  let id = "";
  for (let i = 0; i < 26; i++) {
    id = ALPHABET.charAt(Number(bits & 31n)) + id;
    bits >>= 5n;
  }
  return id;
}
