import { z } from "zod";
import type { Hint } from "../hints.ts";
import { isSigned, toHex } from "../signing.ts";
import { readJson, UnreadableEvent, type VendorEvent, type WebhookConnector } from "../webhook.ts";
import { changeAttributes, changedSchema, deletedAttributes } from "./changes.ts";
import { FHIR_ID } from "./fhir.ts";

const interactionSchema = z.enum(["create", "update", "delete"]);

/** A delete carries no resource at all. */
const bodySchema = z.union([z.strictObject({}), changedSchema]);

const DELETED_RESOURCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/;

/**
 * Rest-hook subscriptions of Medplum (docs: Subscriptions; server: workers/subscription.ts).
 *
 * `X-Signature` is the hex HMAC-SHA256 of the raw body. No time is signed, so there is no replay window: the
 * event id is the guard. The headers are not signed either. A delete is signed over `{}`, the same bytes each
 * time, and names its resource in such a header: a step that acts on it must ask the health record first (410).
 *
 * 200 for an unreadable body: Medplum switches a subscription off after failures in a row.
 */
export const medplumWebhook: WebhookConnector<Hint<"health">> = {
  source: "health",
  unreadableStatus: 200,

  async verify({ body, headers }, secrets) {
    return await isSigned([headers.get("x-signature") ?? ""], secrets, toHex, body);
  },

  read({ body, headers }) {
    const interaction = interactionSchema.safeParse(headers.get("x-medplum-interaction") ?? "update");
    if (!interaction.success) throw new UnreadableEvent("an unknown interaction");
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
  },
};

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
