import { type Permanent, Retryable } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { type Customer, keyOf } from "../registry/customers.ts";
import { VendorError } from "../vendors/contract.ts";
import { CREATE_ORDER, type Order, ORDER_STATES, STATE_AT_PHARMACY } from "./orders.ts";

/** Photon's lists show its own writes at once; this is for a create that is still on its way when we look. */
export const CREATE_VISIBLE_AFTER_SECONDS = 60;

/** The ledger's effect of the order's create; undefined where there is none, or it surely placed nothing. */
export async function createEffectOf(ctx: StepContext, order: Order) {
  return await ctx.deps.db
    .selectFrom("clockwork.effects")
    .select(["state", "reference"])
    .where("vendor", "=", "pharmacy")
    .where("operation", "=", CREATE_ORDER)
    .where("key", "=", order.reference)
    .where("state", "<>", "REFUSED")
    .executeTakeFirst();
}

/** The pharmacy's id of the oldest order under our reference. */
export async function findAtPharmacy(
  ctx: StepContext,
  customer: Customer,
  order: Order,
): Promise<string | null> {
  const patientId = keyOf(customer, "pharmacy_patient_id");
  const [oldest] = await ctx.vendors.pharmacy.findOrders({ patientId, reference: order.reference });
  return oldest?.id ?? null;
}

/**
 * Cancels the pharmacy's order, until a read shows it. An order that the pharmacy took up again after a cancel is
 * cancelled anew.
 * @param tooLate makes the error for a parcel that is on its way
 */
export async function cancelAtPharmacy(
  ctx: StepContext,
  pharmacyOrderId: string,
  tooLate: () => Permanent,
): Promise<void> {
  const { pharmacy } = ctx.vendors;
  const isCancelled = async (): Promise<boolean> => {
    const order = await pharmacy.getOrder(pharmacyOrderId);
    if (!order) return false;
    const state = STATE_AT_PHARMACY[order.state];
    if (ORDER_STATES[state] >= ORDER_STATES.SHIPPED) throw tooLate();
    return state === "CANCELLED";
  };
  if (await isCancelled()) return;
  try {
    await ctx.once({
      vendor: "pharmacy",
      operation: "cancel order",
      key: await nextCancelKey(ctx, pharmacyOrderId),
      visibleAfterSeconds: 0,
      find: async () => (await isCancelled()) ? pharmacyOrderId : null,
      send: async () => {
        const answer = await pharmacy.cancelOrder(pharmacyOrderId);
        if (STATE_AT_PHARMACY[answer.state] !== "CANCELLED") {
          throw new Retryable("NOT_YET_VISIBLE", { vendor: "pharmacy" });
        }
        return answer.id;
      },
    });
  } catch (error) {
    // A refusal may mean that it is too late, or that it was cancelled already.
    if (!(error instanceof VendorError && error.failure === "refused") || !(await isCancelled())) throw error;
  }
}

/** The order's id, with a number once a cancel was confirmed: the order was taken up again. */
async function nextCancelKey(ctx: StepContext, pharmacyOrderId: string): Promise<string> {
  const confirmed = await ctx.deps.db
    .selectFrom("clockwork.effects")
    .select("id")
    .where("vendor", "=", "pharmacy")
    .where("operation", "=", "cancel order")
    .where("reference", "=", pharmacyOrderId)
    .where("state", "=", "CONFIRMED")
    .execute();
  return confirmed.length === 0 ? pharmacyOrderId : `${pharmacyOrderId}:${confirmed.length + 1}`;
}
