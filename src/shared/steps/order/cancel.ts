import {
  cancelAtPharmacy,
  CREATE_VISIBLE_AFTER_SECONDS,
  createEffectOf,
  findAtPharmacy,
} from "../../orders/at-pharmacy.ts";
import {
  afterCancel,
  claimPharmacyOrder,
  CREATE_ORDER,
  hasShipped,
  lockOrder,
  moveOrder,
  type Order,
  orderById,
  requestCancel,
} from "../../orders/orders.ts";
import { customerById } from "../../registry/customers.ts";
import { Permanent, Retryable } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";

/** The order is not at the pharmacy, and is not sent. */
class NeverPlaced extends Error {
  override name = "NeverPlaced";
}

/** Cancels an order at the pharmacy, so that it does not ship, or asks a person when it is too late. */
export const orderCancel = defineOwnStep("order.cancel", {
  queue: "pharmacy",
  async run(ctx, { order_id: orderId, cause }) {
    const order = await orderById(ctx.deps.db, orderId);
    ctx.about({ customerId: order.customer_id, invoiceId: order.invoice_id });
    const tooLate = () => new Permanent("ALREADY_SHIPPED", { order: orderId, cause });
    // Where money or a wish asked for the cancel, a delivered parcel is the end of it.
    if (order.state === "DELIVERED" && cause !== "person") return { kind: "done" };
    if (hasShipped(order)) throw tooLate();
    await requestCancel(ctx.deps.db, orderId, cause);
    await ctx.deps.faultPoint?.("cancel requested");
    const pharmacyOrderId = order.pharmacy_order_id ?? (await placedOrder(ctx, order));
    if (pharmacyOrderId) {
      await cancelAtPharmacy(ctx, pharmacyOrderId, tooLate);
    }
    return {
      kind: "done",
      commit: async (trx) => {
        const current = await lockOrder(trx, orderId);
        const isClaimed = async () =>
          pharmacyOrderId === null || await claimPharmacyOrder(trx, current, pharmacyOrderId);
        if (hasShipped(current) || !(await isClaimed())) {
          throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
        }
        const moved = await moveOrder(trx, current, "CANCELLED");
        return moved ? afterCancel(current) : [];
      },
    };
  },
});

/**
 * The pharmacy's id of the order, or null when it was never placed. A create without a reply is found at the pharmacy, or
 * ends here as REFUSED: a later run of `order.place` reads `cancel_requested_at` and sends nothing.
 */
async function placedOrder(ctx: StepContext, order: Order): Promise<string | null> {
  const effect = await createEffectOf(ctx, order);
  if (!effect) return null;
  if (effect.state === "CONFIRMED") return effect.reference;
  const customer = await customerById(ctx.deps.db, order.customer_id);
  const neverPlaced = () => Promise.reject(new NeverPlaced());
  try {
    return await ctx.once({
      vendor: "pharmacy",
      operation: CREATE_ORDER,
      key: order.reference,
      visibleAfterSeconds: CREATE_VISIBLE_AFTER_SECONDS,
      find: () => findAtPharmacy(ctx, customer, order),
      guard: neverPlaced,
      send: neverPlaced,
    });
  } catch (error) {
    if (error instanceof NeverPlaced) return null;
    throw error;
  }
}
