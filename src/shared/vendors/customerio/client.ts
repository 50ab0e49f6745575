import { z } from "zod";
import { callVendor, discardBody, type Fetch, readAnswer } from "../call.ts";
import { VendorError } from "../contract.ts";
import type { Crm, CrmProfile } from "../crm.ts";
import { sha256Hex } from "../signing.ts";

interface CustomerioOptions {
  /** `https://track.customer.io`, or `https://track-eu.customer.io` for a workspace in the EU. */
  trackUrl: string;
  siteId: string;
  apiKey: string;
  /** Default `https://api.customer.io`; `https://api-eu.customer.io` for a workspace in the EU. */
  appUrl?: string;
  /** An App API key: a bearer token, not the Track API's key. */
  appApiKey: string;
  fetch: Fetch;
}

/** Event data under these keys would override the campaign's own sender and recipient. */
const RESERVED_DATA_KEYS: readonly string[] = ["recipient", "from_address", "reply_to"];

/** The App API's own limit on ids in one call. */
const PEOPLE_AT_ONCE = 100;

/** Every attribute's value is text in this answer. Other fields of a person are not read. */
const person = z.object({ id: z.string(), attributes: z.record(z.string(), z.unknown()) });
/** The docs wrap each person; clients in use read them bare. */
const peopleAnswer = z.object({
  customers: z.array(z.union([z.object({ customer: person }).transform(({ customer }) => customer), person])),
});

/**
 * The CRM over Customer.io: writes go to the Track API (docs.customer.io/api/track, about 100 requests a second), reads
 * to the App API (docs.customer.io/integrations/api/app, 10 requests a second).
 * A 200 of the Track API says that a call was taken, not that it had an effect: a campaign may not have started, and
 * an update of somebody unknown changes nothing. An event older than 72 h is stored and starts no campaign.
 * Throws {@link VendorError}; a refusal never carries Customer.io's words.
 */
export function makeCustomerioClient(options: CustomerioOptions): Crm {
  const { siteId, apiKey, appApiKey, fetch } = options;
  const trackUrl = withoutSlash(options.trackUrl);
  const appUrl = withoutSlash(options.appUrl ?? "https://api.customer.io");

  /** One call of the Track API, about one person. */
  async function track(operation: string, method: string, personId: string, rest: string, body: object) {
    if (!isPathSegment(personId)) throw new VendorError("crm", "refused", operation, { code: "person_id" });
    const url = `${trackUrl}/api/v1/customers/${encodeURIComponent(personId)}${rest}`;
    const response = await callVendor(fetch, "crm", operation, url, {
      method,
      headers: {
        authorization: `Basic ${btoa(`${siteId}:${apiKey}`)}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    await discardBody(response);
  }

  return {
    async sendEvent({ personId, id, name, at, tellAt, data }) {
      await track("send event", "POST", personId, "/events", {
        name,
        id: await ulidFor(id, at),
        timestamp: seconds(tellAt ?? at),
        data: Object.fromEntries(Object.entries(data).filter(([key]) => !RESERVED_DATA_KEYS.includes(key))),
      });
    },

    async updateProfile(personId, { planState, nextRefillOn }, asOf) {
      await track("update profile", "PUT", personId, "", {
        plan_state: planState,
        next_refill_on: nextRefillOn,
        // Of two updates of an attribute, the one with the later read of the owner wins.
        _timestamp: seconds(asOf),
        _update: true,
      });
    },

    async readProfiles(personIds) {
      const operation = "read profiles";
      const ids = [...new Set(personIds)];
      if (ids.length > PEOPLE_AT_ONCE) throw new RangeError(`at most ${PEOPLE_AT_ONCE} people at once`);
      if (ids.length === 0) return new Map();
      const response = await callVendor(fetch, "crm", operation, `${appUrl}/v1/customers/attributes`, {
        method: "POST",
        headers: { authorization: `Bearer ${appApiKey}`, "content-type": "application/json" },
        body: JSON.stringify({ ids }),
      });
      const { customers } = await readAnswer("crm", operation, response, peopleAnswer);
      return new Map(customers.map(({ id, attributes }) => [id, toProfile(attributes)]));
    },
  };
}

function toProfile(attributes: Record<string, unknown>): CrmProfile {
  const text = (name: string) => {
    const value = attributes[name];
    return typeof value === "string" && value !== "" ? value : null;
  };
  return {
    email: text("email"),
    phone: text("phone"),
    planState: text("plan_state"),
    nextRefillOn: text("next_refill_on"),
  };
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

/**
 * True when an id can be one segment of a path. `.` and `..` vanish from a URL even when encoded, and Customer.io can
 * answer 200 to a path it does not know: such an event would be lost unseen.
 */
function isPathSegment(id: string): boolean {
  return !["", ".", ".."].includes(id) && id.isWellFormed();
}

/** Crockford base 32. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * Customer.io ignores a second event with the same id, and takes only a ULID for an id. This one is computed, not
 * random: 48 bits of `at` (ms) and 80 bits of SHA-256 of `key`, so the same key and time give the same id.
 * Throws RangeError for a time that a ULID cannot hold.
 */
export async function ulidFor(key: string, at: Date): Promise<string> {
  const time = at.getTime();
  if (!(time >= 0 && time < 2 ** 48)) throw new RangeError("a ULID holds times from 1970 to 10889");
  const bits = BigInt(time) << 80n | BigInt(`0x${(await sha256Hex(key)).slice(0, 20)}`);
  const digits = bits.toString(32).padStart(26, "0");
  return Array.from(digits, (digit) => ALPHABET.charAt(parseInt(digit, 32))).join("");
}
