import { z } from "zod";
import { noSuch } from "./errors.ts";
import type { List } from "./objects.ts";
import { Shelf } from "./shelf.ts";

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

/** True for what is older than all of the range. */
export function createdBefore(created: number, range: z.output<typeof createdParam>): boolean {
  if (range === undefined) return false;
  if (typeof range === "number") return created < range;
  return created < Math.max(range.gt ?? -Infinity, range.gte ?? -Infinity);
}

export interface Page {
  limit?: number | undefined;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

/** What a list chooses from, newest first. */
export interface Selection<T> {
  shelf: Shelf<T>;
  where?: (entry: T) => boolean;
  /** False for one that Stripe does not have any more; it is no cursor either. */
  exists?: (entry: T) => boolean;
  /** Nothing behind the first such entry is wanted. */
  endsAt?: (entry: T) => boolean;
}

/** A {@link Selection} whose functions know what the shelf holds. */
export function choose<T>(shelf: Shelf<T>, how: Omit<Selection<T>, "shelf">): Selection<T> {
  return { shelf, ...how };
}

/**
 * One page of `entries`. `ending_before` gives the page just before that entry, still in the list's order. An unknown
 * cursor is an error, as at Stripe. Walks no further than the page needs: lists of 100,000 are read page by page.
 */
export function pageOf<T extends { id: string }>(
  entries: T[] | Selection<T>,
  page: Page,
  kind: string,
  url: string,
): List<T> {
  const selection = Array.isArray(entries) ? { shelf: shelve(entries) } : entries;
  const { shelf } = selection;
  const { limit = DEFAULT_LIMIT, starting_after: after, ending_before: before } = page;
  const need = (cursor: string, param: string) => {
    const entry = shelf.get(cursor);
    if (entry === undefined || selection.exists?.(entry) === false) throw noSuch(kind, cursor, param);
  };
  if (after !== undefined) need(after, "starting_after");
  if (before !== undefined) need(before, "ending_before");
  // One more than the page tells whether there are more.
  const found = before === undefined
    ? take(shelf.newestFirst(after), limit + 1, selection)
    : take(shelf.newerThan(before), limit + 1, { ...selection, endsAt: () => false });
  const data = found.slice(0, limit);
  return {
    object: "list",
    data: before === undefined ? data : data.reverse(),
    has_more: found.length > limit,
    url,
  };
}

function take<T>(walk: Iterable<T>, count: number, selection: Selection<T>): T[] {
  const { where = () => true, exists = () => true, endsAt = () => false } = selection;
  const taken: T[] = [];
  for (const entry of walk) {
    if (endsAt(entry)) break;
    if (exists(entry) && where(entry)) taken.push(entry);
    if (taken.length === count) break;
  }
  return taken;
}

/** A short list in its own order: what comes first counts as the newest. */
function shelve<T extends { id: string }>(entries: T[]): Shelf<T> {
  const shelf = new Shelf<T>();
  for (const entry of entries.toReversed()) shelf.set(entry.id, entry);
  return shelf;
}
