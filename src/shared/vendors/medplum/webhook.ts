import { z } from "zod";
import type { Hint } from "../hints.ts";
import { type RawWebhook, UnreadableEvent, type VendorEvent, type WebhookConnector } from "../contract.ts";
import { readJson } from "../json.ts";
import { equalsInConstantTime, hmacSha256, toHex } from "../signing.ts";
import { changeAttributes, changedSchema, deletedAttributes } from "./change.ts";
import { FHIR_ID } from "./fhir.ts";

const interactionSchema = z.enum(["create", "update", "delete"]);

/** A delete carries no resource at all. */
const emptySchema = z.strictObject({});

const bodySchema = z.union([emptySchema, changedSchema]);

const DELETED_RESOURCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/;

/**
 * Rest-hook subscriptions of Medplum (docs: Subscriptions; server: workers/subscription.ts).
 *
 * `X-Signature` is the hex HMAC-SHA256 of the raw body. No time is signed, so there is no replay window: the
 * event id is the guard. The headers are not signed either. A delete is signed over `{}`, the same bytes each
 * time, and names its resource in such a header: whoever acts on it must ask the health record first (410).
 *
 * 200 for what cannot be read: Medplum switches a subscription off after failures in a row.
 */
export const medplumWebhook: WebhookConnector<Hint<"health">> = {
  source: "health",
  unreadableStatus: 200,
  verify,
  read,
};

async function verify({ body, headers }: RawWebhook, secrets: readonly string[]): Promise<boolean> {
  const given = headers.get("x-signature");
  if (!given) return false;
  let genuine = false;
  for (const secret of secrets) {
    // An unset secret must not mean "open", and WebCrypto refuses an empty key.
    if (secret === "") continue;
    if (equalsInConstantTime(given, toHex(await hmacSha256(secret, body)))) genuine = true;
  }
  return genuine;
}

function read({ body, headers }: RawWebhook): VendorEvent<Hint<"health">> {
  const interaction = interactionSchema.safeParse(headers.get("x-medplum-interaction") ?? "update");
  if (!interaction.success) throw new UnreadableEvent("an interaction that is none");
  const subscription = subscriptionOf(headers);
  const resource = readJson(body, bodySchema);
  if (!("resourceType" in resource)) {
    if (interaction.data !== "delete") throw new UnreadableEvent("no resource in the body");
    return readDelete(subscription, headers);
  }
  const { resourceType, id, meta, subject } = resource;
  return {
    id: `${subscription}:${resourceType}/${id}:${meta.versionId}:${interaction.data}`,
    type: `${resourceType.toLowerCase()}.${interaction.data}`,
    attributes: changeAttributes({ resourceType, id, meta, subject }),
  };
}

function readDelete(subscription: string, headers: Headers): VendorEvent<Hint<"health">> {
  const [, type, id] = DELETED_RESOURCE.exec(headers.get("x-medplum-deleted-resource") ?? "") ?? [];
  if (type === undefined || id === undefined) throw new UnreadableEvent("a delete that names no resource");
  return {
    id: `${subscription}:${type}/${id}:delete`,
    type: `${type.toLowerCase()}.delete`,
    attributes: deletedAttributes(type, id),
  };
}

/** An unsigned header: kept only when it looks like an id. */
function subscriptionOf(headers: Headers): string {
  const given = headers.get("x-medplum-subscription") ?? "";
  return FHIR_ID.test(given) ? given : "-";
}
