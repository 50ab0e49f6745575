import type { Context, MiddlewareHandler } from "hono";
import { bearer, jsonBody, makeApp, Refusal } from "../app.ts";
import { type Faults, withFaults } from "../faults.ts";
import { randomId } from "../random.ts";
import type { SandboxApp } from "../server.ts";
import { search } from "./search.ts";
import {
  bodySchema,
  type FhirStore,
  type Resource,
  RESOURCE_TYPES,
  type ResourceBody,
  type ResourceType,
} from "./store.ts";

const TOKEN_SECONDS = 3600;

interface RoutesDeps {
  store: FhirStore;
  faults: Faults;
  now: () => Date;
  random: () => number;
  credentials: { clientId: string; clientSecret: string };
  /** Valid bearer tokens and the moment (ms) at which each ends. */
  tokens: Map<string, number>;
}

/** The required fields of R4. The server refuses a resource without them. */
const REQUIRED = {
  Patient: [],
  MedicationRequest: ["status", "intent", "subject"],
  MedicationDispense: ["status"],
} as const satisfies Record<ResourceType, readonly (keyof ResourceBody)[]>;

/** The paths of Medplum that Clockwork and the clinic's own people use. */
export function makeRoutes({ store, faults, now, random, credentials, tokens }: RoutesDeps): SandboxApp {
  const app = makeApp(({ status, code, message }) => outcome(status, code, message));

  app.post("/oauth2/token", withFaults(faults, "token"), async (c) => {
    const form = await c.req.parseBody();
    if (form.grant_type !== "client_credentials") return c.json({ error: "unsupported_grant_type" }, 400);
    if (form.client_id !== credentials.clientId || form.client_secret !== credentials.clientSecret) {
      return c.json({ error: "invalid_client", error_description: "Invalid client" }, 400);
    }
    const token = randomId(random, "", 64);
    tokens.set(token, now().getTime() + TOKEN_SECONDS * 1000);
    return c.json({ token_type: "Bearer", access_token: token, expires_in: TOKEN_SECONDS });
  });

  const checkToken: MiddlewareHandler = async (c, next) => {
    const end = tokens.get(bearer(c));
    if (end === undefined || now().getTime() >= end) throw new Refusal(401, "login", "Unauthorized");
    return await next();
  };
  const route = (operation: string) => [withFaults(faults, operation), checkToken] as const;
  const resourceTypes: ResourceType[] = ["Patient", "MedicationRequest", "MedicationDispense"];
  for (const type of resourceTypes) {
    const { one, many } = RESOURCE_TYPES[type];
    const all = `/fhir/R4/${type}`;
    const each = `/fhir/R4/${type}/:id`;

    app.get(all, ...route(`search ${many}`), (c) => fhirJson(search(store, type, new URL(c.req.url))));
    app.post(all, ...route(`create ${one}`), async (c) => {
      const resource = store.create(type, await readBody(c, type));
      const location = new URL(`${all}/${resource.id}`, c.req.url).href;
      return fhirJson(resource, 201, { ...versionHeaders(resource), location });
    });
    app.get(each, ...route(`read ${one}`), (c) => {
      const resource = find(type, idOf(c));
      return fhirJson(resource, 200, versionHeaders(resource));
    });
    app.put(each, ...route(`update ${one}`), async (c) => {
      const former = find(type, idOf(c));
      const body = await readBody(c, type);
      if (body.id !== former.id) throw new Refusal(400, "invalid", "Incorrect ID");
      const expected = c.req.header("if-match");
      if (expected !== undefined && expected !== etag(former)) {
        throw new Refusal(412, "processing", "Precondition Failed");
      }
      const resource = store.update(type, former.id, body);
      return fhirJson(resource, 200, versionHeaders(resource));
    });
    app.delete(each, ...route(`delete ${one}`), (c) => {
      if (!store.history.has(`${type}/${idOf(c)}`)) throw notFound();
      store.delete(type, idOf(c));
      return outcome(200, "informational", "All OK");
    });
    app.get(
      `${each}/_history`,
      ...route(`history of ${one}`),
      (c) => history(type, idOf(c), new URL(c.req.url).origin),
    );
  }
  app.notFound(() => outcome(404, "not-found", "Not found"));
  return app;

  function find(type: ResourceType, id: string): Resource {
    if (store.isDeleted(type, id)) throw new Refusal(410, "deleted", "Gone");
    const resource = store.current[type].get(id);
    if (!resource) throw notFound();
    return resource;
  }

  /** Newest first; a delete has no resource. */
  function history(type: ResourceType, id: string, origin: string): Response {
    const versions = store.history.get(`${type}/${id}`);
    if (!versions) throw notFound();
    const entry = versions.toReversed().map(({ interaction, versionId, lastUpdated, resource }) => ({
      fullUrl: `${origin}/fhir/R4/${type}/${id}/_history/${versionId}`,
      request: { method: METHODS[interaction], url: `${type}/${id}/_history/${versionId}` },
      response: { status: STATUSES[interaction], etag: `W/"${versionId}"`, lastModified: lastUpdated },
      ...(resource ? { resource } : {}),
    }));
    return fhirJson({ resourceType: "Bundle", type: "history", entry });
  }
}

function idOf(c: Context): string {
  return c.req.param("id") ?? "";
}

const METHODS = { create: "POST", update: "PUT", delete: "DELETE" } as const;
const STATUSES = { create: "201", update: "200", delete: "410" } as const;

async function readBody(c: Context, type: ResourceType): Promise<ResourceBody> {
  const { data } = bodySchema.safeParse(await jsonBody(c));
  if (data?.resourceType === type && REQUIRED[type].every((field) => data[field] !== undefined)) return data;
  throw new Refusal(400, "structure", `Not a valid ${type}`);
}

function notFound(): Refusal {
  return new Refusal(404, "not-found", "Not found");
}

function etag({ meta }: Resource): string {
  return `W/"${meta.versionId}"`;
}

function versionHeaders(resource: Resource): Record<string, string> {
  return { etag: etag(resource), "last-modified": new Date(resource.meta.lastUpdated).toUTCString() };
}

function outcome(status: number, code: string, text: string): Response {
  const severity = status < 400 ? "information" : "error";
  return fhirJson(
    { resourceType: "OperationOutcome", issue: [{ severity, code, details: { text } }] },
    status,
  );
}

function fhirJson(value: object, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/fhir+json; charset=utf-8", ...headers },
  });
}
