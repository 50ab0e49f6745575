import type { z } from "zod";
import { type Role, UnreadableEvent, VendorError } from "./contract.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Parses a signed webhook body against the vendor's schema; anything else is an {@link UnreadableEvent}. */
export function readJson<Schema extends z.ZodType>(body: Uint8Array, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch {
    throw new UnreadableEvent("not JSON in UTF-8");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new UnreadableEvent("not the shape of an event");
  return parsed.data;
}

/** Parses a vendor's answer; an answer of another shape is `unanswered`: what was done is not known. */
export async function readAnswer<Schema extends z.ZodType>(
  vendor: Role,
  operation: string,
  response: Response,
  schema: Schema,
): Promise<z.output<Schema>> {
  let value: unknown;
  try {
    value = await response.json();
  } catch {
    throw new VendorError(vendor, "unanswered", operation, { status: response.status, code: "not_json" });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new VendorError(vendor, "unanswered", operation, { status: response.status, code: "shape" });
  }
  return parsed.data;
}
