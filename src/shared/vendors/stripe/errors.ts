import Stripe from "stripe";
import { callVendor, statusError } from "../call.ts";
import { VendorError } from "../contract.ts";

/**
 * Runs one operation over the SDK; every error of the SDK leaves as a {@link VendorError}.
 * Only the status, Stripe's machine `code` and Retry-After go along, never its message.
 */
export async function callStripe<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) throw await toVendorError(operation, error);
    throw error;
  }
}

async function toVendorError(
  operation: string,
  error: InstanceType<typeof Stripe.errors.StripeError>,
): Promise<VendorError> {
  if (error instanceof Stripe.errors.StripeConnectionError) {
    return await connectionError(operation, error.detail);
  }
  const { statusCode, code } = error;
  // No status: an answer that is not JSON, so from something in between. What was done is not known.
  if (statusCode === undefined) {
    return new VendorError("stripe", "unanswered", operation, { code: "not_json" });
  }
  // Stripe also has a rate limit that answers 400.
  const status = error instanceof Stripe.errors.StripeRateLimitError ? 429 : statusCode;
  const { failure, details } = statusError("stripe", operation, status, error.headers?.["retry-after"]);
  return new VendorError(
    "stripe",
    // 409: another request holds the object or the same idempotency key right now.
    status === 409 ? "unanswered" : failure,
    operation,
    { ...details, status: statusCode, ...(code === undefined ? {} : { code }) },
  );
}

/** Asks `callVendor`, which knows how each runtime says that no connection was ever made. */
async function connectionError(operation: string, cause: unknown): Promise<VendorError> {
  try {
    await callVendor(() => Promise.reject(cause), "stripe", operation, "");
  } catch (error) {
    if (error instanceof VendorError) return error;
  }
  return new VendorError("stripe", "unanswered", operation);
}
