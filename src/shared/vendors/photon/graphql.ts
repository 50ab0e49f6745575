import { z } from "zod";
import { callVendor, type Fetch, statusError } from "../call.ts";
import { type Json, VendorError, type VendorFailure } from "../contract.ts";
import { readAnswer } from "../json.ts";
import type { TokenCache } from "./token.ts";

/** Sends one GraphQL operation and returns its `data`, checked against `schema`. Throws {@link VendorError}. */
export type Graphql = <Schema extends z.ZodType>(
  operation: string,
  query: string,
  variables: { [name: string]: Json },
  schema: Schema,
) => Promise<z.output<Schema>>;

const RATE_LIMITED = new Set(["RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "TOO_MANY_REQUESTS", "THROTTLED"]);
const UNAUTHENTICATED = new Set([
  "UNAUTHENTICATED",
  "EMPTY_AUTHORIZATION_HEADER",
  "INVALID_AUTHORIZATION_HEADER",
]);
/** Failures of the vendor's own: the operation may or may not have been done. */
const INTERNAL = new Set([
  "INTERNAL_SERVER_ERROR",
  "INTERNAL_ERROR",
  "SERVICE_UNAVAILABLE",
  "UNAVAILABLE",
  "DOWNSTREAM_SERVICE_ERROR",
  "UPSTREAM_SERVICE_ERROR",
  "BAD_GATEWAY",
  "GATEWAY_TIMEOUT",
  "REQUEST_TIMEOUT",
  "TIMEOUT",
]);

/**
 * Photon also answers INTERNAL_SERVER_ERROR to a token it no longer takes. A token this old is not trusted
 * after such an answer; a younger one is, or an outage would mean a login for every call.
 */
const SUSPECT_TOKEN_MS = 10 * 60_000;

const SAFE_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

const envelope = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.object({
    path: z.array(z.unknown()).nullish(),
    extensions: z.object({ code: z.unknown() }).nullish(),
  })).nullish(),
});
type Envelope = z.output<typeof envelope>;

/**
 * GraphQL over HTTP as Photon speaks it. HTTP 200 with `errors` is no success, and their text is never read:
 * it can hold clinical facts. A token that is refused is replaced once.
 */
export function makeGraphql(deps: { apiUrl: string; fetch: Fetch; tokens: TokenCache }): Graphql {
  const { apiUrl, fetch, tokens } = deps;

  async function send(operation: string, token: string, body: string) {
    const response = await callVendor(fetch, "pharmacy", operation, apiUrl, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        authorization: `Bearer ${token}`,
      },
      body,
      accept: [400, 401],
    });
    return { status: response.status, answer: await readEnvelope(operation, response) };
  }

  return async (operation, query, variables, schema) => {
    const body = JSON.stringify({ query, variables });
    for (let lastTry = false;; lastTry = true) {
      const token = await tokens.get();
      const { status, answer } = await send(operation, token, body);
      const code = codeOf(answer);
      if (status === 401 || (code !== undefined && UNAUTHENTICATED.has(code))) {
        tokens.drop(token);
        if (!lastTry) continue;
        throw statusError("pharmacy", operation, 401, null);
      }
      if (status === 400 || answer.errors?.length) {
        if (code === "INTERNAL_SERVER_ERROR") tokens.drop(token, SUSPECT_TOKEN_MS);
        throw new VendorError("pharmacy", failureOf(answer, code), operation, {
          status,
          ...(code === undefined ? {} : { code }),
        });
      }
      const parsed = schema.safeParse(answer.data);
      if (parsed.success) return parsed.data;
      throw new VendorError("pharmacy", "unanswered", operation, { status, code: "shape" });
    }
  };
}

async function readEnvelope(operation: string, response: Response): Promise<Envelope> {
  if (response.ok) return await readAnswer("pharmacy", operation, response, envelope);
  // The status alone says no; the body is only asked for the code.
  return await readAnswer("pharmacy", operation, response, envelope).catch(() => ({}));
}

function codeOf(answer: Envelope): string | undefined {
  const code = answer.errors?.[0]?.extensions?.code;
  return typeof code === "string" && SAFE_CODE.test(code) ? code : undefined;
}

function failureOf(answer: Envelope, code: string | undefined): VendorFailure {
  // An error below the root field, or data beside it: the operation ran and only its answer is incomplete.
  const ran = answer.errors?.some((error) => (error.path?.length ?? 0) > 1) ||
    Object.values(answer.data ?? {}).some((value) => value !== null);
  if (ran) return "unanswered";
  if (code !== undefined && RATE_LIMITED.has(code)) return "rate_limited";
  if (code !== undefined && INTERNAL.has(code)) return "unanswered";
  return "refused";
}
