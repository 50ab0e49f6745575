import { type Page, VendorError } from "../contract.ts";
import { OPEN_STATES } from "./states.ts";
import type { OrderNode } from "./wire.ts";

/**
 * Photon's own size of a page, when `first` is not given. A page with fewer rows is the last one. A page with fewer
 * rows than a larger `first` may not be: Photon may cut a larger `first` without a word.
 */
export const DEFAULT_PAGE_SIZE = 25;

/**
 * One page as Photon lists it: the cursor (`after`) is the id of the row before. A full page that leads nowhere is
 * `unanswered`, never the end: a list cut short could hide an order, and a hidden order is sent twice.
 */
export async function readPage<Node extends { id: string }>(
  operation: string,
  after: string | null,
  read: (after: string | null) => Promise<(Node | null)[]>,
): Promise<Page<Node>> {
  const rows = await read(after);
  const entries = rows.filter((row) => row !== null);
  if (rows.length < DEFAULT_PAGE_SIZE) return { entries, next: null };
  const next = entries.at(-1)?.id;
  if (next === undefined || entries.some(({ id }) => id === after)) throw leadsNowhere(operation);
  return { entries, next };
}

/**
 * One page of the orders that have not ended. Photon filters by one state at a time, so the pages go through the states
 * in the order of progress: an order that moves on meanwhile comes twice rather than not at all. The cursor is
 * `<state>:<id of the row before>`.
 */
export async function readOpenPage(
  cursor: string | null,
  read: (state: string, after: string | null) => Promise<(OrderNode | null)[]>,
): Promise<Page<OrderNode>> {
  const [first = "", ...later] = OPEN_STATES;
  const [, state = first, id = ""] = /^([A-Z]+):(.*)$/.exec(cursor ?? `${first}:`) ?? [];
  if (!OPEN_STATES.includes(state)) {
    throw new VendorError("pharmacy", "refused", "list orders", { code: "bad_cursor" });
  }
  const page = await readPage("list orders", id === "" ? null : id, (after) => read(state, after));
  if (page.next !== null) return { ...page, next: `${state}:${page.next}` };
  const following = later[OPEN_STATES.indexOf(state)];
  return { ...page, next: following === undefined ? null : `${following}:` };
}

/** Reads a list to its end, page by page. */
export async function readAll<Node extends { id: string }>(
  operation: string,
  read: (after: string | null) => Promise<(Node | null)[]>,
): Promise<Node[]> {
  const found = new Map<string, Node>();
  let after: string | null = null;
  do {
    const { entries, next }: Page<Node> = await readPage(operation, after, read);
    if (next !== null && found.has(next)) throw leadsNowhere(operation);
    for (const node of entries) found.set(node.id, node);
    after = next;
  } while (after !== null);
  return [...found.values()];
}

function leadsNowhere(operation: string): VendorError {
  return new VendorError("pharmacy", "unanswered", operation, { code: "paging" });
}
