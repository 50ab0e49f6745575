import type { z } from "zod";

/** An answer that is no success, in Stripe's shape: `{ error: { type, code, message, param } }`. */
export class StripeApiError extends Error {
  override name = "StripeApiError";
  readonly status: number;
  readonly error: { type: string; code?: string; message: string; param?: string };

  constructor(status: number, error: StripeApiError["error"]) {
    super(error.message);
    this.status = status;
    this.error = error;
  }
}

function invalidRequest(
  message: string,
  { status = 400, ...more }: { status?: number; code?: string; param?: string } = {},
): StripeApiError {
  return new StripeApiError(status, { type: "invalid_request_error", message, ...more });
}

/** 404 for an id in the path; 400 for one in a parameter. */
export function noSuch(kind: string, id: string, param = "id", status = 400): StripeApiError {
  return invalidRequest(`No such ${kind}: '${id}'`, { status, code: "resource_missing", param });
}

export function notAllowed(message: string, code?: string): StripeApiError {
  return invalidRequest(message, code === undefined ? {} : { code });
}

/** Nothing to charge: neither the subscription nor its customer names a payment method. */
export function noPaymentMethod(): StripeApiError {
  return invalidRequest("This customer has no attached payment source or default payment method.", {
    code: "resource_missing",
  });
}

export function declined(): StripeApiError {
  return new StripeApiError(402, {
    type: "card_error",
    code: "card_declined",
    message: "Your card was declined.",
  });
}

/** A subscription's price cannot get another interval while its billing date stays. */
export function changesInterval(): StripeApiError {
  return invalidRequest("Changing plan intervals. There's no way to leave billing cycle unchanged.", {
    param: "billing_cycle_anchor",
  });
}

export function inactivePrice(param: string): StripeApiError {
  return invalidRequest("The price specified is inactive. This field only accepts active prices.", { param });
}

export function samePriceTwice(price: string): StripeApiError {
  return invalidRequest(`Cannot add multiple subscription items with the same plan: ${price}`, {
    param: "items[0][price]",
  });
}

export function cannotExpand(path: string): StripeApiError {
  return invalidRequest(`This property cannot be expanded (${path}).`, { param: "expand" });
}

export function unauthorized(): StripeApiError {
  return invalidRequest("You did not provide a valid API key.", { status: 401 });
}

export function unknownUrl(method: string, path: string): StripeApiError {
  return invalidRequest(`Unrecognized request URL (${method}: ${path}).`, { status: 404 });
}

export function otherParameters(): StripeApiError {
  return new StripeApiError(400, {
    type: "idempotency_error",
    message:
      "Keys for idempotent requests can only be used with the same parameters they were first used with.",
  });
}

/** The first thing wrong with the parameters. */
export function badParameters(error: z.ZodError): StripeApiError {
  const issue = error.issues[0];
  const path = (issue?.path ?? []).map(String);
  if (issue?.code === "unrecognized_keys") {
    const param = bracketed([...path, ...issue.keys.slice(0, 1)]);
    return invalidRequest(`Received unknown parameter: ${param}`, { code: "parameter_unknown", param });
  }
  const param = bracketed(path);
  if (issue?.code === "invalid_type" && issue.input === undefined) {
    return invalidRequest(`Missing required param: ${param}.`, { code: "parameter_missing", param });
  }
  return invalidRequest(`Invalid value for param: ${param}.`, { param });
}

function bracketed([first = "", ...rest]: string[]): string {
  return first + rest.map((part) => `[${part}]`).join("");
}
