import type { Trx } from "../../db/database.ts";
import { customerById } from "../../registry/customers.ts";
import { addNow } from "../../queue/ask.ts";
import { reason } from "../../queue/reasons.ts";
import { readPrescriptions } from "../../prescriptions/by-product.ts";
import { defineOwnStep } from "../../queue/step.ts";
import { judgeFirst } from "../../prescriptions/first.ts";
import { askAboutUnknown } from "../../subscriptions/look.ts";
import { lockCustomer, requestStart } from "../../subscriptions/starts.ts";

/**
 * Looks at all of a customer's prescriptions. Each product with one that could be filled gets its start. A prescription for
 * no product of ours goes to a person. Any event may ask for it, at any time.
 */
export const subscriptionLook = defineOwnStep("subscription.look", {
  queue: "health",
  async run(ctx, { customer_id: customerId, prescription_id: askedAbout }) {
    const { health_patient_id: patientId } = await customerById(ctx.deps.db, customerId);
    ctx.about({ customerId });
    if (!patientId) return { kind: "done" };
    const { byProduct, unknown, timeZone } = await readPrescriptions(ctx, patientId);
    const own = unknown.find(({ prescriptionId }) => prescriptionId === askedAbout);
    const commit = async (trx: Trx) => {
      await lockCustomer(trx, customerId);
      for (const [productId, orders] of byProduct) {
        const verdict = judgeFirst(orders, ctx.now(), timeZone, ctx.task.createdAt);
        if (verdict.kind !== "none") {
          await addNow(trx, ctx, await requestStart(trx, customerId, productId, verdict));
        }
      }
      await askAboutUnknown(trx, ctx, customerId, unknown.filter((one) => one !== own));
    };
    if (!own) return { kind: "done", commit };
    const { prescriptionId: prescription, why } = own;
    return {
      kind: "stopped",
      reason: reason("PRESCRIPTION_FOR_UNKNOWN_PRODUCT", { prescription, customer: customerId, why }),
      commit,
    };
  },
});
