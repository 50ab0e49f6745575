import type { z } from "zod";
import { type Role, VendorError } from "./contract.ts";

export type Fetch = typeof fetch;

/** Shorter than every lease on an effect, so that a call never outlives the claim it was made under. */
export const CALL_TIMEOUT_MS = 15_000;

/** A longer Retry-After is cut to this: a mistyped header must not stop us for a year. */
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
    throw connectionError(vendor, operation, error);
  }
  if (response.ok || accept.includes(response.status)) return response;
  await discardBody(response);
  throw statusError(vendor, operation, response.status, response.headers.get("retry-after"));
}

/** Lets go of a body that nobody reads. A failure changes nothing: the status has arrived. */
export async function discardBody(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** Parses a vendor's answer; an answer of another shape is `unanswered`: it is not known what was done. */
export async function readAnswer<Schema extends z.ZodType>(
  vendor: Role,
  operation: string,
  response: Response,
  schema: Schema,
): Promise<z.output<Schema>> {
  const unusable = (code: string) =>
    new VendorError(vendor, "unanswered", operation, { status: response.status, code });
  const value: unknown = await response.json().catch(() => Promise.reject(unusable("not_json")));
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw unusable("shape");
  return parsed.data;
}

/** The result of calls that prepare another. Where one has no answer, the other was never sent: `unreachable`. */
export async function beforeSending<T>(preparation: Promise<T>): Promise<T> {
  try {
    return await preparation;
  } catch (error) {
    if (!(error instanceof VendorError) || error.failure !== "unanswered") throw error;
    throw new VendorError(error.vendor, "unreachable", error.operation, error.details);
  }
}

/** The {@link VendorError} for an HTTP status that is no success. */
export function statusError(
  vendor: Role,
  operation: string,
  status: number,
  retryAfter: string | null | undefined,
): VendorError {
  const details = { status, retryAfterSeconds: parseRetryAfter(retryAfter) };
  if (status === 429) return new VendorError(vendor, "rate_limited", operation, details);
  const isUnanswered = status >= 500 || status === 408;
  return new VendorError(vendor, isUnanswered ? "unanswered" : "refused", operation, details);
}

function parseRetryAfter(value: string | null | undefined): number | undefined {
  const seconds = value ? Number(value) : NaN;
  return Number.isFinite(seconds) && seconds >= 0
    ? Math.min(Math.ceil(seconds), LONGEST_RETRY_AFTER_SECONDS)
    : undefined;
}

/**
 * The {@link VendorError} for an error of fetch: `unreachable` where no connection was made, so that no request was sent.
 * Node gives the cause a code. Deno has no codes; its HTTP client names the phase that failed, in the message or (Deno
 * 2.9.6) in the cause's message. A URL in that message cannot hold these words: its spaces are encoded.
 */
export function connectionError(vendor: Role, operation: string, error: unknown): VendorError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
  const code = cause && "code" in cause ? String(cause.code) : "";
  const message = error instanceof Error ? `${error.message} ${cause?.message ?? ""}` : "";
  const isUnsent = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/.test(code) ||
    /client error \(Connect\)|error trying to connect/.test(message);
  return new VendorError(vendor, isUnsent ? "unreachable" : "unanswered", operation);
}
