import Stripe from "stripe";
import type { Page } from "../contract.ts";

/** Stripe's largest page. */
export const PAGE_SIZE = 100;

/** Where a page begins: behind an object or, when that object is gone, at its time of creation. Epoch seconds. */
export interface PageStart {
  starting_after?: string;
  createdUpTo?: number;
}

/**
 * One page of a list that is newest first. The cursor holds the id and the creation time of the page's last object:
 * Stripe cannot go on behind one that was deleted meanwhile. Then some objects come twice, and none is left out.
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
    return await list({ createdUpTo: Number(created) });
  }
}

/** The `created` filter that a page's start asks for. */
export function createdUpTo({ createdUpTo }: PageStart): { created?: { lte: number } } {
  return createdUpTo === undefined ? {} : { created: { lte: createdUpTo } };
}

/** The `starting_after` that a page's start asks for. */
export function startingAfter({ starting_after }: PageStart): { starting_after?: string } {
  return starting_after === undefined ? {} : { starting_after };
}

/** True when Stripe does not have what an id in the request names. */
export function isMissing(error: unknown): error is InstanceType<typeof Stripe.errors.StripeError> {
  return error instanceof Stripe.errors.StripeError && error.code === "resource_missing";
}

/** All of a list that came inside an object: such a list holds only the first few. */
export async function whole<T>(inline: Stripe.ApiList<T>, list: () => AsyncIterable<T>): Promise<T[]> {
  if (!inline.has_more) return inline.data;
  const all: T[] = [];
  for await (const entry of list()) all.push(entry);
  return all;
}
