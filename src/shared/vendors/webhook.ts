import type { z } from "zod";
import type { Json, Role } from "./contract.ts";

/** The sender of an event: a role, or a vendor without one. No step of ours has a name that begins so. */
export type EventSource = Exclude<Role, "login"> | `standard.${string}`;

/** The step of an event, `<source>.<event type>`: `stripe.invoice.paid`, `pharmacy.order.placed`. */
export type EventName = `${EventSource}.${string}`;

/** A webhook as it arrived: the bytes that were signed, never a re-serialised copy. */
export interface RawWebhook {
  body: Uint8Array;
  headers: Headers;
}

export type Attributes = Readonly<Record<string, Json | undefined>>;

/**
 * A webhook reduced to ids, states and times.
 * A medical fact (drug, dose, address, name, free text) must never be put in `attributes`.
 */
export interface VendorEvent<Kept extends Attributes = Attributes> {
  /** The dedupe key: the vendor's event id, or one made of other ids where there is none. */
  id: string;
  /** The event type in lower case with dots, e.g. `invoice.paid`, `order.fulfillment`. */
  type: string;
  /** Typed by the source's entry in `HINTS`. */
  attributes: Kept;
}

/** The inbound side of a vendor. */
export interface WebhookConnector<Kept extends Attributes = Attributes> {
  /** The names of its events begin with it. */
  source: EventSource;
  /** The answer to a signed body that cannot be read: 400, or 200 where a 4xx would make the vendor lose events or stall. */
  unreadableStatus: 200 | 400;
  /**
   * True when one of `secrets` signed exactly these bytes, within the replay window where the vendor
   * signs a timestamp. Never throws. An empty secret list or an empty header is false.
   */
  verify(webhook: RawWebhook, secrets: readonly string[], now: Date): Promise<boolean>;
  /** Throws {@link UnreadableEvent} for a signed body that is not an event of this vendor. */
  read(webhook: RawWebhook): VendorEvent<Kept>;
}

/** A signed body that is not JSON, not the vendor's shape, or has no usable id. */
export class UnreadableEvent extends Error {
  override name = "UnreadableEvent";
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Parses a signed body against the vendor's schema. Throws {@link UnreadableEvent} for anything else. */
export function readJson<Schema extends z.ZodType>(body: Uint8Array, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch {
    throw new UnreadableEvent("not JSON in UTF-8");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new UnreadableEvent("not the shape of an event");
  return parsed.data;
}
