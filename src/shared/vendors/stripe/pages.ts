import type Stripe from "stripe";
import type { Page } from "../contract.ts";
import { isMissing } from "./errors.ts";

/** Stripe's largest page. */
export const PAGE_SIZE = 100;

/** The start of a page, as Stripe's parameters: behind an object or, when that is gone, at its creation (epoch seconds). */
interface PageStart {
  starting_after?: string;
  created?: { lte: number };
}

/**
 * One page of a list that is newest first. The cursor is `<creation time>.<id>` of the page's last object: Stripe cannot
 * go on behind one that was deleted meanwhile. Then some objects come twice, and none is left out.
 */
export async function readPage<T extends { id: string; created: number }>(
  cursor: string | null | undefined,
  list: (start: PageStart) => Promise<Stripe.ApiList<T>>,
): Promise<Page<T>> {
  const { data, has_more } = await listFrom(cursor ?? null, list);
  const last = data.at(-1);
  return { entries: data, next: has_more && last ? `${last.created}.${last.id}` : null };
}

async function listFrom<T>(
  cursor: string | null,
  list: (start: PageStart) => Promise<Stripe.ApiList<T>>,
): Promise<Stripe.ApiList<T>> {
  if (cursor === null) return await list({});
  const [, created, id] = /^(\d+)\.(.+)$/.exec(cursor) ?? [];
  if (created === undefined || id === undefined) throw new RangeError("not a cursor of a Stripe list");
  try {
    return await list({ starting_after: id });
  } catch (error) {
    if (!isMissing(error) || error.param !== "starting_after") throw error;
    return await list({ created: { lte: Number(created) } });
  }
}

/** All entries of a list inside an object, where Stripe shows only the first few. */
export async function whole<T>(inline: Stripe.ApiList<T>, list: () => AsyncIterable<T>): Promise<T[]> {
  if (!inline.has_more) return inline.data;
  const all: T[] = [];
  for await (const entry of list()) all.push(entry);
  return all;
}
