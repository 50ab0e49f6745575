import { type Role, VendorError } from "./contract.ts";

export type Fetch = typeof fetch;

/** Shorter than every lease on an effect, so that a call never outlives the claim it was made under. */
export const CALL_TIMEOUT_MS = 15_000;

/**
 * One HTTP call to a vendor, with a time limit and every failure as a {@link VendorError}.
 * A status that `accept` lists is an answer for the caller to read; other 4xx are `refused`.
 * The body of a failure is never read into the error.
 */
export async function callVendor(
  fetch: Fetch,
  vendor: Role,
  operation: string,
  url: string,
  init: RequestInit & { accept?: readonly number[]; timeoutMs?: number } = {},
): Promise<Response> {
  const { accept = [], timeoutMs = CALL_TIMEOUT_MS, ...request } = init;
  let response: Response;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    throw new VendorError(vendor, neverSent(error) ? "unreachable" : "unanswered", operation);
  }
  if (response.ok || accept.includes(response.status)) return response;
  await response.body?.cancel();
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
  return Number.isFinite(seconds) && seconds >= 0 ? Math.ceil(seconds) : undefined;
}

/** Connection refused or host unknown: Node gives a cause with a code, Deno says it in the message. */
function neverSent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const cause = error.cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(code) ||
    /ECONNREFUSED|Connection refused|dns error/i.test(error.message);
}
