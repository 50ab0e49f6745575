import { type Page, VendorError } from "../contract.ts";
import { readPage } from "./paging.ts";
import { OPEN_STATES } from "./states.ts";
import type { OrderNode } from "./wire.ts";

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
