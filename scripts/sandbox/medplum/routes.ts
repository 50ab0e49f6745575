import { type Context, Hono } from "hono";
import { type Faults, withFaults } from "../faults.ts";
import { randomId, type SandboxApp } from "../server.ts";
import { BadSearch, search } from "./search.ts";
import {
  bodySchema,
  type FhirStore,
  type Resource,
  RESOURCE_TYPES,
  type ResourceBody,
  type ResourceType,
} from "./store.ts";

const TOKEN_SECONDS = 3600;

export interface RoutesDeps {
  store: FhirStore;
  faults: Faults;
  now: () => Date;
  random: () => number;
  credentials: { clientId: string; clientSecret: string };
  /** Valid bearer tokens and the moment (ms) each ends. */
  tokens: Map<string, number>;
}

/** Without these the server refuses a resource: the required fields of R4. */
const REQUIRED = {
  Patient: [],
  MedicationRequest: ["status", "intent", "subject"],
  MedicationDispense: ["status"],
} as const satisfies Record<ResourceType, readonly (keyof ResourceBody)[]>;

/** The paths of Medplum that Clockwork and the clinic's own people use. */
export function makeRoutes(deps: RoutesDeps): SandboxApp {
  const { store, faults } = deps;
  const app: SandboxApp = new Hono();

  app.post("/oauth2/token", withFaults(faults, "token"), async (c) => {
    const form = await c.req.parseBody();
    if (form.grant_type !== "client_credentials") return c.json({ error: "unsupported_grant_type" }, 400);
    const { clientId, clientSecret } = deps.credentials;
    if (form.client_id !== clientId || form.client_secret !== clientSecret) {
      return c.json({ error: "invalid_client", error_description: "Invalid client" }, 400);
    }
    const token = randomId(deps.random, "", 64);
    deps.tokens.set(token, deps.now().getTime() + TOKEN_SECONDS * 1000);
    return c.json({ token_type: "Bearer", access_token: token, expires_in: TOKEN_SECONDS });
  });

  const resourceTypes: ResourceType[] = ["Patient", "MedicationRequest", "MedicationDispense"];
  for (const type of resourceTypes) {
    const { one, many } = RESOURCE_TYPES[type];
    const all = `/fhir/R4/${type}`;
    const each = `/fhir/R4/${type}/:id`;

    app.get(all, withFaults(faults, `search ${many}`), (c) =>
      guarded(c, () => {
        try {
          return fhirJson(search(store, type, new URL(c.req.url)));
        } catch (error) {
          if (error instanceof BadSearch) return outcome(400, "invalid", error.message);
          throw error;
        }
      }));
    app.post(all, withFaults(faults, `create ${one}`), (c) =>
      guarded(c, async () => {
        const body = await readBody(c, type);
        if (body instanceof Response) return body;
        const resource = store.create(type, body);
        return fhirJson(resource, 201, {
          ...versionHeaders(resource),
          location: new URL(`${all}/${resource.id}`, c.req.url).href,
        });
      }));
    app.get(each, withFaults(faults, `read ${one}`), (c) =>
      guarded(c, () => {
        const resource = find(type, idOf(c));
        return resource instanceof Response ? resource : fhirJson(resource, 200, versionHeaders(resource));
      }));
    app.put(each, withFaults(faults, `update ${one}`), (c) =>
      guarded(c, async () => {
        const held = find(type, idOf(c));
        if (held instanceof Response) return held;
        const body = await readBody(c, type);
        if (body instanceof Response) return body;
        if (body.id !== held.id) return outcome(400, "invalid", "Incorrect ID");
        const expected = c.req.header("if-match");
        if (expected !== undefined && expected !== etag(held)) {
          return outcome(412, "processing", "Precondition Failed");
        }
        const resource = store.update(type, held.id, body);
        return fhirJson(resource, 200, versionHeaders(resource));
      }));
    app.delete(each, withFaults(faults, `delete ${one}`), (c) =>
      guarded(c, () => {
        const id = idOf(c);
        if (!store.history.has(`${type}/${id}`)) return outcome(404, "not-found", "Not found");
        store.delete(type, id);
        return outcome(200, "informational", "All OK");
      }));
    app.get(
      `${each}/_history`,
      withFaults(faults, `history of ${one}`),
      (c) => guarded(c, () => history(type, idOf(c), new URL(c.req.url).origin)),
    );
  }
  app.notFound(() => outcome(404, "not-found", "Not found"));
  return app;

  /** Runs `handle` for whoever has a token that is still good. */
  async function guarded(c: Context, handle: () => Response | Promise<Response>): Promise<Response> {
    const [, token = ""] = /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "") ?? [];
    const end = deps.tokens.get(token);
    if (end === undefined || deps.now().getTime() >= end) return outcome(401, "login", "Unauthorized");
    return await handle();
  }

  function find(type: ResourceType, id: string): Resource | Response {
    if (store.isDeleted(type, id)) return outcome(410, "deleted", "Gone");
    return store.current[type].get(id) ?? outcome(404, "not-found", "Not found");
  }

  /** Newest first; a delete has no resource. */
  function history(type: ResourceType, id: string, origin: string): Response {
    const versions = store.history.get(`${type}/${id}`);
    if (!versions) return outcome(404, "not-found", "Not found");
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

async function readBody(c: Context, type: ResourceType): Promise<ResourceBody | Response> {
  const parsed = bodySchema.safeParse(await c.req.json().catch(() => null));
  const valid = parsed.success && parsed.data.resourceType === type &&
    REQUIRED[type].every((field) => parsed.data[field] !== undefined);
  return valid ? parsed.data : outcome(400, "structure", `Not a valid ${type}`);
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
