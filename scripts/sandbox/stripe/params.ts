import { z } from "zod";

/** Parameters that many routes take. Everything in a form is text. */
export const text = z.string().optional();
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");
export const metadata = z.union([z.literal(""), z.record(z.string(), z.string())]).optional();
export const expand = z.array(z.string()).optional();

/** A filter that was not given lets everything through. */
export function is(value: unknown, wanted: string | undefined): boolean {
  return wanted === undefined || value === wanted;
}
