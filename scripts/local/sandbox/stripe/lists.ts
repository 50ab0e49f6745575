import { z } from "zod";
import { noSuch } from "./errors.ts";
import type { List } from "./objects.ts";

const DEFAULT_LIMIT = 10;

const epochSeconds = z.coerce.number().int();

/** The parameters of every list. */
export const pageParams = {
  limit: z.coerce.number().int().min(1).max(100).optional(),
  starting_after: z.string().optional(),
  ending_before: z.string().optional(),
  expand: z.array(z.string()).optional(),
};

/** `created=<s>` or `created[gte|gt|lte|lt]=<s>`. */
export const createdParam = z.union([
  epochSeconds,
  z.strictObject({
    gt: epochSeconds.optional(),
    gte: epochSeconds.optional(),
    lt: epochSeconds.optional(),
    lte: epochSeconds.optional(),
  }),
]).optional();

export function createdWithin(created: number, range: z.output<typeof createdParam>): boolean {
  if (range === undefined) return true;
  if (typeof range === "number") return created === range;
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  return created > gt && created >= gte && created < lt && created <= lte;
}

export interface Page {
  limit?: number | undefined;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

/**
 * One page of `entries`, which are in the order of the list (for most: newest first). `ending_before` gives the
 * page just before that entry, still in the list's order. An unknown cursor is an error, as at Stripe.
 */
export function pageOf<T extends { id: string }>(
  entries: T[],
  page: Page,
  kind: string,
  url: string,
): List<T> {
  const limit = page.limit ?? DEFAULT_LIMIT;
  const indexOf = (cursor: string, param: string) => {
    const index = entries.findIndex(({ id }) => id === cursor);
    if (index < 0) throw noSuch(kind, cursor, param);
    return index;
  };
  let start = 0;
  let end = entries.length;
  if (page.starting_after !== undefined) start = indexOf(page.starting_after, "starting_after") + 1;
  if (page.ending_before !== undefined) end = indexOf(page.ending_before, "ending_before");
  const backwards = page.ending_before !== undefined;
  const data = backwards
    ? entries.slice(Math.max(start, end - limit), end)
    : entries.slice(start, start + limit);
  return { object: "list", data, has_more: end - start > limit, url };
}
