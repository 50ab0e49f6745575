import { z } from "zod";
import type { Hint } from "../hints.ts";
import { fromBase64, isSigned, toBase64 } from "../signing.ts";
import { readJson, UnreadableEvent, type WebhookConnector } from "../webhook.ts";

/** The specification's own window, both ways. */
const TOLERANCE_SECONDS = 5 * 60;
/** The specification's limits of a secret, in bytes. */
const SECRET_BYTES = { min: 24, max: 64 };

const EVENT_ID = /^[\x20-\x7e]{1,256}$/;

/**
 * Webhooks of any vendor that follows Standard Webhooks, Svix's header names included
 * (github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`).
 * Only `v1` (HMAC) signatures count. Secrets are `whsec_` and base64.
 *
 * Events: the body's `type` where it is a plain name, else `event`; attributes `{ type, at }`.
 * Nothing else of the body is kept, because nothing is known about it.
 *
 * @param source names the vendor: lower-case letters, digits, `_` and `-`. Throws RangeError otherwise.
 */
export function makeStandardWebhook(source: string): WebhookConnector<Hint<"standard">> {
  if (!/^[a-z0-9_-]{1,50}$/.test(source)) throw new RangeError("not a name of a source");
  return {
    source: `standard.${source}`,
    unreadableStatus: 400,

    async verify({ body, headers }, secrets, now) {
      const id = header(headers, "id");
      const timestamp = header(headers, "timestamp");
      const signatures = readSignatures(header(headers, "signature"));
      if (id === "" || !/^\d{1,12}$/.test(timestamp) || signatures.length === 0) return false;
      if (!(Math.abs(now.getTime() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
      return await isSigned(signatures, secrets.flatMap(readSecret), toBase64, `${id}.${timestamp}.`, body);
    },

    read({ body, headers }) {
      const { type, timestamp } = readJson(body, event);
      const id = header(headers, "id");
      if (!EVENT_ID.test(id)) throw new UnreadableEvent("no usable webhook id");
      return { id, type, attributes: { type, at: timestamp?.toISOString() ?? null } };
    },
  };
}

/** Any JSON is an event: its type and its time are optional. */
const event = z.object({
  type: z.string().toLowerCase().regex(/^[a-z0-9_.-]{1,100}$/).catch("event"),
  timestamp: z.iso.datetime({ offset: true }).pipe(z.coerce.date()).nullable().catch(null),
}).catch({ type: "event", timestamp: null });

/** The header by its own name, or by Svix's where that name is used throughout; empty when it is missing. */
function header(headers: Headers, name: "id" | "timestamp" | "signature"): string {
  const prefix = headers.has("webhook-id") ? "webhook" : "svix";
  return headers.get(`${prefix}-${name}`) ?? "";
}

/** `v1,<base64>` by spaces; Supabase Auth joins by `, `. Other versions are left out. */
function readSignatures(list: string): string[] {
  return list.split(/,?\s+/).filter((signature) => signature.startsWith("v1,"))
    .map((signature) => signature.slice("v1,".length));
}

/** The key's bytes. None for a secret that is malformed, too short or too long: it verifies nothing. */
function readSecret(secret: string): Uint8Array[] {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  if (base64 === undefined) return [];
  try {
    const key = fromBase64(base64);
    return key.length >= SECRET_BYTES.min && key.length <= SECRET_BYTES.max ? [key] : [];
  } catch {
    return [];
  }
}
