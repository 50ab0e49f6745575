import type { z } from "zod";

/** An error answer in Stripe's shape: `{ error: { type, code, message, param } }`. */
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

export function invalidRequest(
  message: string,
  { status = 400, ...more }: { status?: number; code?: string; param?: string } = {},
): StripeApiError {
  return new StripeApiError(status, { type: "invalid_request_error", message, ...more });
}

/** The refusal of an unknown id: 404 for an id in the path, 400 for one in a parameter. */
export function noSuch(kind: string, id: string, param: string, status: 400 | 404 = 400): StripeApiError {
  return invalidRequest(`No such ${kind}: '${id}'`, { status, code: "resource_missing", param });
}

/** The object with the id that came in `param`. Refuses an unknown one. */
export function need<T>(
  objects: ReadonlyMap<string, T>,
  kind: string,
  id: string,
  param: string,
  status: 400 | 404 = 400,
): T {
  const object = objects.get(id);
  if (object === undefined) throw noSuch(kind, id, param, status);
  return object;
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
