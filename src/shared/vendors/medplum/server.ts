import { z } from "zod";
import { callVendor, discardBody, type Fetch, readAnswer } from "../call.ts";
import { type Page, VendorError } from "../contract.ts";
import { makeTokenCache } from "../token.ts";
import { bundleSchema, FHIR_ID } from "./fhir.ts";

export const PAGE_SIZE = 100;

/** 5,000 resources of one patient: more is a server that pages in circles. */
const MAX_PAGES = 50;

const identified = z.object({ id: z.string() });

export interface FhirServerOptions {
  /** `https://api.medplum.com`, without a slash at the end. */
  baseUrl: string;
  clientId: string;
  clientSecret: string;
  fetch: Fetch;
  now: () => Date;
}

export type FhirServer = ReturnType<typeof makeFhirServer>;

/** Reads of a FHIR server with Medplum's log-in (docs: Client Credentials). `operation` names a call in its errors. */
export function makeFhirServer({ baseUrl, clientId, clientSecret, fetch, now }: FhirServerOptions) {
  const base = `${baseUrl}/fhir/R4`;
  const tokens = makeTokenCache({ vendor: "health", fetch, now }, `${baseUrl}/oauth2/token`, {
    headers: { accept: "application/json" },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
    }),
  });

  /** One GET; a 401 ends the token (restarts and rotation end tokens early) and logs in once more. */
  async function get(operation: string, url: string, accept: readonly number[] = []): Promise<Response> {
    const send = async (token: string, accept: readonly number[]) =>
      await callVendor(fetch, "health", operation, url, {
        headers: { accept: "application/fhir+json", authorization: `Bearer ${token}` },
        accept,
      });
    const token = await tokens.get();
    const response = await send(token, [...accept, 401]);
    if (response.status !== 401) return response;
    await discardBody(response);
    tokens.forget(token);
    return await send(await tokens.get(), accept);
  }

  const resourceUrl = (operation: string, type: string, id: string) =>
    `${base}/${type}/${pathId(operation, id)}`;

  /** One page of a search: the resources of `type`. The cursor is a URL of the server, which may have been stored. */
  async function readPage(
    operation: string,
    type: string,
    query: URLSearchParams,
    cursor: string | null,
  ): Promise<Page<object>> {
    const first = `${base}/${type}?${query}`;
    const url = cursor === null ? first : sameOrigin(operation, cursor, first);
    const bundle = await readAnswer("health", operation, await get(operation, url), bundleSchema);
    const entries = (bundle.entry ?? []).flatMap(({ resource }) =>
      resource?.resourceType === type ? [resource] : []
    );
    const link = bundle.link?.find(({ relation }) => relation === "next");
    const next = link ? sameOrigin(operation, link.url, url) : null;
    if (next === url) throw new VendorError("health", "unanswered", operation, { code: "endless_pages" });
    return { entries, next };
  }

  /** Every resource of `schema` that the search finds, over all pages, each id once. Leaves out unreadable ones. */
  async function search<Schema extends z.ZodType<{ id: string }>>(
    operation: string,
    type: string,
    query: Record<string, string>,
    schema: Schema,
  ): Promise<z.output<Schema>[]> {
    const found = new Map<string, z.output<Schema>>();
    const parameters = new URLSearchParams({ _count: String(PAGE_SIZE), ...query });
    let cursor: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const { entries, next }: Page<object> = await readPage(operation, type, parameters, cursor);
      for (const entry of entries) {
        const parsed = schema.safeParse(entry);
        if (parsed.success) found.set(parsed.data.id, parsed.data);
      }
      if (next === null) return [...found.values()];
      cursor = next;
    }
    throw new VendorError("health", "unanswered", operation, { code: "endless_pages" });
  }

  return {
    readPage,
    search,

    /** Those of the ids that are a patient's. */
    async searchPatients(ids: readonly string[]): Promise<Set<string>> {
      const found = await search("search patients", "Patient", { _id: ids.join(",") }, identified);
      return new Set(found.map(({ id }) => id));
    },

    /** The resource. `refused` with the status 410 for one that was deleted, 404 for one that never was. */
    async read<Schema extends z.ZodType>(operation: string, type: string, id: string, schema: Schema) {
      const response = await get(operation, resourceUrl(operation, type, id));
      return await readAnswer("health", operation, response, schema);
    },

    /** The resource, or null for one that was deleted or never was. */
    async find<Schema extends z.ZodType>(operation: string, type: string, id: string, schema: Schema) {
      const response = await get(operation, resourceUrl(operation, type, id), [404, 410]);
      if (response.ok) return await readAnswer("health", operation, response, schema);
      await discardBody(response);
      return null;
    },

    /** True for a resource that was deleted (410); false for one that is there, never was (404) or is not shown to us. */
    async isDeleted(operation: string, type: string, id: string): Promise<boolean> {
      const response = await get(operation, resourceUrl(operation, type, id), [403, 404, 410]);
      await discardBody(response);
      return response.status === 410;
    },
  };
}

/** Dots alone are a FHIR id too, but in a path they lead elsewhere. */
export function isPathId(id: string): boolean {
  return FHIR_ID.test(id) && !/^\.+$/.test(id);
}

/** The id. `refused` with the code `bad_id` for one that cannot be a segment of a path. */
export function pathId(operation: string, id: string): string {
  if (isPathId(id)) return id;
  throw new VendorError("health", "refused", operation, { code: "bad_id" });
}

/** A link or a stored cursor, only at the origin of `current`: the token goes with it. */
function sameOrigin(operation: string, url: string, current: string): string {
  const resolved = URL.canParse(url, current) ? new URL(url, current) : null;
  if (resolved?.origin === new URL(current).origin) return resolved.href;
  throw new VendorError("health", "refused", operation, { code: "foreign_link" });
}
