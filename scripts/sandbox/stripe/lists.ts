import { Shelf, take } from "../shelf.ts";
import { need, noSuch } from "./errors.ts";
import type { List } from "./objects.ts";

const DEFAULT_LIMIT = 10;

export interface Page {
  limit?: number | undefined;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

/** The entries of a list, newest first. */
export interface Selection<T extends { id: string }> {
  shelf: Shelf<T>;
  where?: (entry: T) => boolean;
  /** False for an entry that Stripe no longer has. It is no cursor either. */
  exists?: (entry: T) => boolean;
  /** True for an entry that ends the list: it and all older ones are left out. */
  endsAt?: (entry: T) => boolean;
}

/** A {@link Selection} with functions typed by the shelf. */
export function choose<T extends { id: string }>(
  shelf: Shelf<T>,
  how: Omit<Selection<T>, "shelf">,
): Selection<T> {
  return { shelf, ...how };
}

/**
 * One page of `entries`. `ending_before` gives the page just before that entry, still in the list's order. An unknown
 * cursor is refused, as at Stripe. Walks no further than the page needs: lists of 100,000 are read page by page.
 */
export function pageOf<T extends { id: string }>(
  entries: T[] | Selection<T>,
  page: Page,
  kind: string,
  url: string,
): List<T> {
  const selection: Selection<T> = Array.isArray(entries) ? { shelf: shelve(entries) } : entries;
  const { shelf, where = () => true, exists = () => true, endsAt } = selection;
  const { limit = DEFAULT_LIMIT, starting_after: after, ending_before: before } = page;
  for (const param of ["starting_after", "ending_before"] as const) {
    const cursor = page[param];
    if (cursor !== undefined && !exists(need(shelf, kind, cursor, param))) throw noSuch(kind, cursor, param);
  }
  const fits = (entry: T) => exists(entry) && where(entry);
  // One more than the page tells whether there are more.
  const found = before === undefined
    ? take(shelf.newestFirst(after), limit + 1, fits, endsAt)
    : take(shelf.newerThan(before), limit + 1, fits);
  const data = found.slice(0, limit);
  return {
    object: "list",
    data: before === undefined ? data : data.reverse(),
    has_more: found.length > limit,
    url,
  };
}

/** A short list in its own order: the first entry counts as the newest. */
function shelve<T extends { id: string }>(entries: T[]): Shelf<T> {
  const shelf = new Shelf<T>();
  for (const entry of entries.toReversed()) shelf.add(entry);
  return shelf;
}
