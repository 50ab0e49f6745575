import { checkCompleteness, type Feed, type Page } from "../../checks/completeness.ts";
import { goneAtPharmacy, unheardOrders } from "../../checks/pharmacy-orders.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import type { PharmacyOrder } from "../../vendors/pharmacy.ts";
import type { VendorEvent } from "../../vendors/webhook.ts";

/** The list of our orders that the pharmacy no longer counts as open. One call each, so few a page. */
const OURS = "ours";
const ORDERS_A_PAGE = 25;

/**
 * The pharmacy lists no events, so states are compared: first its open orders, page by page, then our other orders under
 * way.
 */
const feed: Feed = {
  step: "completeness.pharmacy",
  vendor: "pharmacy",
  read: (ctx, { id: runId }, { list, cursor }) =>
    list === OURS ? readOurs(ctx, runId, Number(cursor ?? 0)) : readTheirs(ctx, runId, cursor),
};

export const completenessPharmacy = defineOwnStep("completeness.pharmacy", {
  queue: "pharmacy",
  run: (ctx, data) => checkCompleteness(ctx, data, feed),
});

async function readTheirs(ctx: StepContext, runId: number, cursor: string | undefined): Promise<Page> {
  const { entries, next } = await ctx.vendors.pharmacy.listOrders(cursor ?? null, "open");
  return {
    seen: entries.length,
    missing: (trx) => unheardOrders(trx, runId, entries),
    next: next === null ? { list: OURS } : { cursor: next },
  };
}

async function readOurs(ctx: StepContext, runId: number, after: number): Promise<Page> {
  const open = await ctx.deps.db.selectFrom("tracker.orders")
    .select(["id", "reference", "pharmacy_order_id"])
    .where("state", "in", ["PLACED", "FILLING", "SHIPPED", "OUT_FOR_DELIVERY"])
    .where("id", ">", after)
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("tracker.check_marks as marks").select("order_id")
          .whereRef("marks.order_id", "=", "tracker.orders.id").where("marks.run_id", "=", runId),
      ))
    )
    .orderBy("id").limit(ORDERS_A_PAGE)
    .execute();
  const found: PharmacyOrder[] = [];
  const gone: VendorEvent[] = [];
  for (const { reference, pharmacy_order_id: id } of open) {
    if (id === null) continue;
    const order = await ctx.vendors.pharmacy.getOrder(id);
    if (order) found.push(order);
    else gone.push(goneAtPharmacy(id, reference));
  }
  const isLast = open.length < ORDERS_A_PAGE;
  return {
    seen: open.length,
    missing: async (trx) => {
      const unheard = await unheardOrders(trx, runId, found);
      // Marks of earlier runs that never ended are deleted too.
      if (isLast) await trx.deleteFrom("tracker.check_marks").where("run_id", "<=", runId).execute();
      return [...unheard, ...gone];
    },
    next: isLast ? null : { list: OURS, cursor: String(open.at(-1)?.id) },
  };
}
