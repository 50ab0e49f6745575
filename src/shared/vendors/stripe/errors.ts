import Stripe from "stripe";
import { connectionError, statusError } from "../call.ts";
import { VendorError } from "../contract.ts";

type StripeError = InstanceType<typeof Stripe.errors.StripeError>;

const RESOURCE_MISSING = "resource_missing";

/** True where Stripe misses an object: an unknown id (404, or 400 for one in a parameter), or a payment method. */
export function isOfUnknownId(error: unknown): boolean {
  return error instanceof VendorError && error.vendor === "stripe" && error.details.code === RESOURCE_MISSING;
}

/** As {@link isOfUnknownId}, for an error of the SDK. */
export function isMissing(error: unknown): error is StripeError {
  return error instanceof Stripe.errors.StripeError && error.code === RESOURCE_MISSING;
}

/** The object of a request of the SDK, or null where Stripe does not have it (404). */
export async function nullIfMissing<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request;
  } catch (error) {
    if (isMissing(error) && error.statusCode === 404) return null;
    throw error;
  }
}

/**
 * Runs one operation over the SDK. Every error of the SDK leaves as a {@link VendorError}, with the status, Stripe's
 * machine `code` and Retry-After, never with its message.
 */
export async function callStripe<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) throw toVendorError(operation, error);
    throw error;
  }
}

function toVendorError(operation: string, error: StripeError): VendorError {
  if (error instanceof Stripe.errors.StripeConnectionError) {
    return connectionError("stripe", operation, error.detail);
  }
  const { statusCode, code } = error;
  // No status: an answer that is not JSON, so not Stripe's own.
  if (statusCode === undefined) {
    return new VendorError("stripe", "unanswered", operation, { code: "not_json" });
  }
  // Stripe also has a rate limit that answers 400.
  const status = error instanceof Stripe.errors.StripeRateLimitError ? 429 : statusCode;
  const { failure, details } = statusError("stripe", operation, status, error.headers?.["retry-after"]);
  // 409: another request has the object or the same idempotency key right now.
  return new VendorError("stripe", status === 409 ? "unanswered" : failure, operation, {
    ...details,
    status: statusCode,
    code,
  });
}
