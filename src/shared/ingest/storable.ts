import type { Json } from "../vendors/contract.ts";
import type { Attributes, VendorEvent } from "../vendors/webhook.ts";

/** Longer than any vendor's id, reference or time; far below the 2,704 bytes that a row of an index may have. */
const MAX_TEXT_LENGTH = 300;

/**
 * Postgres takes neither NUL nor half a surrogate pair, and an index takes no long text: the database would refuse such
 * an event each time the vendor sends it. No control character belongs in an id anyway.
 */
const UNSTORABLE = /[\p{Cc}\p{Cs}]/u;

/**
 * The characters of a step's name; the brackets are Stripe's (`v2.core.account[identity].updated`). Other text could be
 * anything, even a sentence about a patient.
 */
const EVENT_TYPE = /^[a-z0-9_.[\]-]{1,150}$/;

/** True when the database will take the event, so that it cannot come back for ever. */
export function isStorable(event: VendorEvent): boolean {
  return event.id !== "" && isStorableText(event.id) && EVENT_TYPE.test(event.type) &&
    isStorableValue(event.attributes);
}

function isStorableValue(value: Json | Attributes | undefined): boolean {
  if (typeof value === "string") return isStorableText(value);
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isStorableText(key) && isStorableValue(inner));
}

function isStorableText(text: string): boolean {
  return text.length <= MAX_TEXT_LENGTH && !UNSTORABLE.test(text);
}
