import Stripe from "stripe";
import { z } from "zod";
import type { Hint } from "../hints.ts";
import { hmacSha256, toHex } from "../signing.ts";
import { readJson, type VendorEvent, type WebhookConnector } from "../webhook.ts";
import { ownId, readSnapshot, snapshotSchema } from "./snapshot.ts";

/** Stripe's own default. Each retry is signed anew, so an old timestamp is never a late retry. */
const TOLERANCE_SECONDS = 300;

/**
 * Stripe's webhooks, snapshot events and thin ones ("v2.core.event"), from either kind of event destination.
 * The snapshot and the thin event of one change get the same id and type, so that both destinations may be on while the
 * endpoint changes from one to the other.
 */
export const stripeWebhook: WebhookConnector<Hint<"stripe">> = {
  source: "stripe",
  unreadableStatus: 400,

  async verify({ body, headers }, secrets, now) {
    const header = headers.get("stripe-signature");
    if (!header) return false;
    for (const secret of secrets) if (await isSignedBy(secret, header, body, now)) return true;
    return false;
  },

  read({ body }) {
    const event = readJson(body, eventSchema);
    return event.object === "event" ? readSnapshot(event) : readThin(event);
  },
};

async function isSignedBy(secret: string, header: string, body: Uint8Array, now: Date): Promise<boolean> {
  const provider = new RawBytesProvider(body);
  const { signature } = Stripe.webhooks;
  try {
    await signature?.verifyHeaderAsync(body, header, secret, TOLERANCE_SECONDS, provider, now.getTime());
  } catch {
    return false;
  }
  // The SDK checks only the age. A timestamp from the future would be good for longer than the window. One that is no
  // number, or was never signed, fails here too.
  return provider.signedAtSeconds - now.getTime() / 1000 <= TOLERANCE_SECONDS;
}

/**
 * Gives the SDK an HMAC over the bytes as they came. By itself it signs the decoded text, and different bytes (a byte
 * order mark, broken UTF-8) decode to the same text.
 */
class RawBytesProvider extends Stripe.CryptoProvider {
  /** The `t` that the SDK took from the header, in epoch seconds. */
  signedAtSeconds = NaN;
  readonly #body: Uint8Array;

  constructor(body: Uint8Array) {
    super();
    this.#body = body;
  }

  /** `content` is `<t>.<decoded body>`. */
  override async computeHMACSignatureAsync(content: string, secret: string): Promise<string> {
    const timestamp = content.slice(0, content.indexOf("."));
    this.signedAtSeconds = Number(timestamp);
    return toHex(await hmacSha256(secret, `${timestamp}.`, this.#body));
  }
}

const thinSchema = z.object({
  id: z.string().min(1),
  object: z.literal("v2.core.event"),
  type: z.string().min(1),
  created: z.iso.datetime({ offset: true }),
  snapshot_event: z.string().min(1).nullish(),
  related_object: z.object({ id: z.string().min(1), type: z.string() }).nullish(),
});

const eventSchema = z.discriminatedUnion("object", [snapshotSchema, thinSchema]);

function readThin(event: z.output<typeof thinSchema>): VendorEvent<Hint<"stripe">> {
  const object = event.related_object ?? undefined;
  return {
    id: event.snapshot_event ?? event.id,
    type: event.type.replace(/^v1\./, ""),
    attributes: {
      object_id: object?.id,
      object_type: object?.type,
      created: new Date(event.created).toISOString(),
      ...ownId(object?.type, object?.id),
    },
  };
}
