import { type Role, VendorError } from "./contract.ts";

export type Fetch = typeof fetch;

/** Shorter than every lease on an effect, so that a call never outlives the claim it was made under. */
export const CALL_TIMEOUT_MS = 15_000;

/** A vendor that asks for longer is asked again all the same: a mistyped header must not stop us for a year. */
const LONGEST_RETRY_AFTER_SECONDS = 6 * 3600;

/**
 * One HTTP call to a vendor, with a time limit and every failure as a {@link VendorError}.
 * A status that `accept` lists is an answer for the caller to read; other 3xx and 4xx are `refused`.
 * A redirect is not followed: fetch would turn a redirected POST into a GET, whose 200 looks like success.
 * The body of a failure is never read into the error.
 *
 * A text body is sent as a Blob. When a kept-alive connection breaks before the answer, Deno's HTTP client sends a
 * request with a body of bytes again by itself (tried with 2.9.6), also a POST that the vendor has carried out: one
 * `createOrder` becomes two orders. It cannot repeat a Blob.
 */
export async function callVendor(
  fetch: Fetch,
  vendor: Role,
  operation: string,
  url: string,
  init: RequestInit & { accept?: readonly number[]; timeoutMs?: number } = {},
): Promise<Response> {
  const { accept = [], timeoutMs = CALL_TIMEOUT_MS, body, ...request } = init;
  let response: Response;
  try {
    response = await fetch(url, {
      redirect: "manual",
      ...request,
      ...(body === undefined ? {} : { body: typeof body === "string" ? new Blob([body]) : body }),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw new VendorError(vendor, neverSent(error) ? "unreachable" : "unanswered", operation);
  }
  if (response.ok || accept.includes(response.status)) return response;
  // A body that breaks off while it is thrown away changes nothing: the status was heard.
  await response.body?.cancel().catch(() => {});
  throw statusError(vendor, operation, response.status, response.headers.get("retry-after"));
}

/** The {@link VendorError} for an HTTP status that is no success. */
export function statusError(
  vendor: Role,
  operation: string,
  status: number,
  retryAfter: string | null | undefined,
): VendorError {
  const retryAfterSeconds = parseRetryAfter(retryAfter);
  const details = { status, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  if (status === 429) return new VendorError(vendor, "rate_limited", operation, details);
  if (status >= 500 || status === 408) return new VendorError(vendor, "unanswered", operation, details);
  return new VendorError(vendor, "refused", operation, details);
}

function parseRetryAfter(value: string | null | undefined): number | undefined {
  if (!value) return undefined;
  const seconds = Number(value);
  return Number.isFinite(seconds) && seconds >= 0
    ? Math.min(Math.ceil(seconds), LONGEST_RETRY_AFTER_SECONDS)
    : undefined;
}

/**
 * True when no request was sent: no connection was made. Node gives the cause a code. Deno has no codes;
 * its HTTP client names the phase that failed, in the message or (Deno 2.9.6) in the cause's message.
 * A URL in that message cannot hold these words: its spaces are encoded.
 */
function neverSent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const cause = error.cause instanceof Error ? error.cause : undefined;
  const code = cause && "code" in cause ? String(cause.code) : "";
  return /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/.test(code) ||
    /client error \(Connect\)|error trying to connect/.test(`${error.message} ${cause?.message ?? ""}`);
}
