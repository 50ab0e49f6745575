import { z } from "zod";
import { callVendor, type Fetch, readAnswer, statusError } from "../call.ts";
import { VendorError, type VendorFailure } from "../contract.ts";
import type { TokenCache } from "../token.ts";

/** One operation of the API: `schema` reads the `data` of its answer. */
interface Operation<Schema extends z.ZodType> {
  /** Ours, e.g. `create order`. */
  name: string;
  query: string;
  schema: Schema;
}

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

const MACHINE_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
/** Undefined for text that may be more than a machine code. An error with `extensions` and no code has a wrong shape. */
const machineCode = z.unknown().refine((code) => code !== undefined)
  .transform((code) => typeof code === "string" && MACHINE_CODE.test(code) ? code : undefined);

const envelope = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.object({
    path: z.array(z.unknown()).nullish(),
    extensions: z.object({ code: machineCode }).nullish(),
  })).nullish(),
});
type Envelope = z.output<typeof envelope>;

/**
 * Sends operations by GraphQL over HTTP as Photon speaks it. HTTP 200 with `errors` is no success, and their text is
 * never read: it can hold clinical facts. A token that is refused is replaced once. Throws {@link VendorError}.
 */
export function makeGraphql({ apiUrl, fetch, tokens }: { apiUrl: string; fetch: Fetch; tokens: TokenCache }) {
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
    const answer = readAnswer("pharmacy", operation, response, envelope);
    // A refusal stands by its status alone; its body is only asked for the code.
    return {
      status: response.status,
      answer: await (response.ok ? answer : answer.catch((): Envelope => ({}))),
    };
  }

  return async <Schema extends z.ZodType>(
    { name, query, schema }: Operation<Schema>,
    variables: object,
  ): Promise<z.output<Schema>> => {
    const body = JSON.stringify({ query, variables });
    for (let lastTry = false;; lastTry = true) {
      const token = await tokens.get();
      const { status, answer } = await send(name, token, body);
      const code = answer.errors?.[0]?.extensions?.code;
      if (status === 401 || UNAUTHENTICATED.has(code ?? "")) {
        tokens.forget(token);
        if (!lastTry) continue;
        throw statusError("pharmacy", name, 401, null);
      }
      if (status === 400 || answer.errors?.length) {
        if (code === "INTERNAL_SERVER_ERROR") tokens.forget(token, SUSPECT_TOKEN_MS);
        throw new VendorError("pharmacy", failureOf(answer, code ?? ""), name, { status, code });
      }
      const parsed = schema.safeParse(answer.data);
      if (parsed.success) return parsed.data;
      throw new VendorError("pharmacy", "unanswered", name, { status, code: "shape" });
    }
  };
}

function failureOf(answer: Envelope, code: string): VendorFailure {
  // An error below the root field, or data beside it: the operation ran and only its answer is incomplete.
  const ran = answer.errors?.some((error) => (error.path?.length ?? 0) > 1) ||
    Object.values(answer.data ?? {}).some((value) => value !== null);
  if (ran || INTERNAL.has(code)) return "unanswered";
  return RATE_LIMITED.has(code) ? "rate_limited" : "refused";
}
