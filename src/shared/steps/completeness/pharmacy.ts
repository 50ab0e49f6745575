import { checkCompleteness, type Feed, type Look } from "../../checks/completeness.ts";
import { goneAtPharmacy, untoldByPharmacy } from "../../checks/pharmacy-orders.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";
import type { PharmacyOrder } from "../../vendors/pharmacy.ts";
import type { VendorEvent } from "../../vendors/webhook.ts";

/** Ours that the pharmacy no longer counts as open. Asked one call each, so few a page. */
const OURS = "ours";
const ORDERS_A_PAGE = 25;

/**
 * The pharmacy keeps no feed, so states are compared: its orders that have not ended, page by page, then each of ours that
 * is under way and was not among them.
 */
const feed: Feed = {
  step: "completeness.pharmacy",
  vendor: "pharmacy",
  look: (ctx, { id: runId }, { list, cursor }) =>
    list === OURS ? lookAtOurs(ctx, runId, Number(cursor ?? 0)) : lookAtTheirs(ctx, runId, cursor),
};

export const completenessPharmacy = defineOwnStep("completeness.pharmacy", {
  queue: "pharmacy",
  run: (ctx, data) => checkCompleteness(ctx, data, feed),
});

async function lookAtTheirs(ctx: StepContext, runId: number, cursor: string | undefined): Promise<Look> {
  const page = await ctx.vendors.pharmacy.listOrders(cursor ?? null, "open");
  return {
    seen: page.entries.length,
    missing: (trx) => untoldByPharmacy(trx, runId, page.entries),
    next: page.next === null ? { list: OURS } : { cursor: page.next },
  };
}

async function lookAtOurs(ctx: StepContext, runId: number, after: number): Promise<Look> {
  const open = await ctx.deps.db.selectFrom("tracker.orders")
    .select(["id", "reference", "pharmacy_order_id"])
    .where("state", "in", ["PLACED", "FILLING", "SHIPPED", "OUT_FOR_DELIVERY"])
    .where("id", ">", after)
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("tracker.check_marks").select("order_id")
          .whereRef("tracker.check_marks.order_id", "=", "tracker.orders.id").where(
            "tracker.check_marks.run_id",
            "=",
            runId,
          ),
      ))
    )
    .orderBy("id").limit(ORDERS_A_PAGE)
    .execute();
  const seen: PharmacyOrder[] = [];
  const gone: VendorEvent[] = [];
  for (const { reference, pharmacy_order_id: id } of open) {
    if (id === null) continue;
    const order = await ctx.vendors.pharmacy.getOrder(id);
    if (order) seen.push(order);
    else gone.push(goneAtPharmacy(id, reference));
  }
  const isLast = open.length < ORDERS_A_PAGE;
  return {
    seen: open.length,
    missing: async (trx) => {
      const untold = await untoldByPharmacy(trx, runId, seen);
      // Marks of runs that never came to their end go with them.
      if (isLast) await trx.deleteFrom("tracker.check_marks").where("run_id", "<=", runId).execute();
      return [...untold, ...gone];
    },
    next: isLast ? null : { list: OURS, cursor: String(open.at(-1)?.id) },
  };
}
