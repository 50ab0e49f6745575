import { z } from "zod";
import type { Metadata } from "./objects.ts";

export const epochSeconds = z.coerce.number().int();

// Parameters of many routes. Every value in a form is text.
export const text = z.string().optional();
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");
export const metadata = z.union([z.literal(""), z.record(z.string(), z.string())]).optional();
export const expand = z.array(z.string()).optional();
/** `created=<s>` or `created[gte|gt|lte|lt]=<s>`. */
export const created = z.union([
  epochSeconds,
  z.strictObject({
    gt: epochSeconds.optional(),
    gte: epochSeconds.optional(),
    lt: epochSeconds.optional(),
    lte: epochSeconds.optional(),
  }),
]).optional();
export const proration_behavior = z.enum(["create_prorations", "always_invoice", "none"])
  .default("create_prorations");
type CreatedRange = z.output<typeof created>;

/** The parameters of every list. */
export const pageParams = {
  limit: z.coerce.number().int().min(1).max(100).optional(),
  starting_after: text,
  ending_before: text,
  expand,
};

/** True for an absent filter, too. */
export function is(value: unknown, wanted: string | undefined): boolean {
  return wanted === undefined || value === wanted;
}

export function createdWithin(at: number, range: CreatedRange): boolean {
  if (range === undefined) return true;
  if (typeof range === "number") return at === range;
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  return at > gt && at >= gte && at < lt && at <= lte;
}

/** True for a time older than all of the range. */
export function createdBefore(at: number, range: CreatedRange): boolean {
  if (range === undefined) return false;
  if (typeof range === "number") return at < range;
  return at < Math.max(range.gt ?? -Infinity, range.gte ?? -Infinity);
}

/** Stripe merges metadata: an empty value removes its key, an empty string all of them. */
export function mergeMetadata(former: Metadata, given: Metadata | "" | undefined): Metadata {
  if (given === undefined) return former;
  if (given === "") return {};
  return Object.fromEntries(Object.entries({ ...former, ...given }).filter(([, value]) => value !== ""));
}
