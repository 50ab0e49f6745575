import { hmacSha256, toHex } from "../../../src/shared/vendors/signing.ts";
import { Outbox } from "../outbox.ts";
import type { SandboxDeps } from "../server.ts";
import type { Change, FhirStore, ResourceType } from "./store.ts";

/**
 * Medplum's subscription worker sends the resource as it was at that version. It drops the job when the resource is
 * gone by then, and drops a retry when there is a newer version. Deletes are always sent. The outbox does not know
 * these rules: a dropped try carries this header, never leaves the sandbox, and gets a status that no endpoint gives.
 * Its message is then in `outbox.givenUp`.
 */
const DROPPED_HEADER = "x-sandbox-dropped";
const DROPPED_STATUS = 598;

/** Tries again after any answer but 2xx, without end: a run of the sandbox is shorter than Medplum's 18 tries. */
export function makeOutbox({ webhook, fetch, now, random }: SandboxDeps): Outbox {
  const send: typeof fetch = async (url, init) =>
    new Headers(init?.headers).has(DROPPED_HEADER)
      ? new Response(null, { status: DROPPED_STATUS })
      : await fetch(url, init);
  return new Outbox({ url: webhook.url, fetch: send, now, random }, {
    givesUpOn: (status) => status === DROPPED_STATUS,
  });
}

/** Queues the rest-hook of one change. */
export function pushChange(
  { store, outbox, secret, subscriptionId }: {
    store: FhirStore;
    outbox: Outbox;
    secret: string;
    subscriptionId: string;
  },
  { type, id, version }: Change,
): void {
  const body = version.resource === null ? "{}" : JSON.stringify(version.resource);
  const key = version.resource === null ? "delete" : `${version.versionId}:${version.interaction}`;
  let tries = 0;
  outbox.push({
    id: `${subscriptionId}:${type}/${id}:${key}`,
    async sign() {
      const dropped = version.resource !== null && isStale(store, type, id, version.versionId, tries++);
      return {
        body,
        headers: {
          "content-type": "application/fhir+json",
          "x-medplum-subscription": subscriptionId,
          "x-medplum-interaction": version.interaction,
          ...(version.resource === null ? { "x-medplum-deleted-resource": `${type}/${id}` } : {}),
          "x-signature": toHex(await hmacSha256(secret, body)),
          ...(dropped ? { [DROPPED_HEADER]: "1" } : {}),
        },
      };
    },
  });
}

function isStale(
  store: FhirStore,
  type: ResourceType,
  id: string,
  versionId: string,
  tries: number,
): boolean {
  const current = store.current[type].get(id);
  return !current || (tries > 0 && current.meta.versionId !== versionId);
}
