import type { Trx } from "../db/database.ts";
import type { ByProduct } from "../prescriptions/by-product.ts";
import { ask } from "../queue/ask.ts";
import { openTasks, unlessOpen } from "../queue/open.ts";
import { type FollowUp, reason } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { wakeTasks } from "../queue/wake.ts";

/** Asks for a look at all of a customer's prescriptions, unless one is PENDING: it will read the same. */
export async function lookAtPrescriptions(trx: Trx, customerId: number): Promise<FollowUp[]> {
  const data = { customer_id: customerId };
  return await unlessOpen(trx, { step: "subscription.look", data }, "PENDING");
}

/**
 * Asks a person about each prescription for no product of ours, once. Questions about other prescriptions are woken, and
 * end by themselves; the task's own row is left alone.
 */
export async function askAboutUnknown(
  trx: Trx,
  ctx: StepContext,
  customerId: number,
  unknown: ByProduct["unknown"],
): Promise<void> {
  const questions = await openTasks(trx, {
    step: "subscription.look",
    about: { customer_id: customerId },
    has: "prescription_id",
    status: "MANUAL_INTERVENTION",
    except: ctx.task.id,
  });
  const answered = questions.filter(({ data }) =>
    !unknown.some(({ prescriptionId }) => prescriptionId === data["prescription_id"])
  );
  await wakeTasks(trx, { ids: answered.map(({ id }) => id) });
  for (const { prescriptionId: prescription, why } of unknown) {
    await ask(trx, ctx, {
      step: "subscription.look",
      data: { customer_id: customerId, prescription_id: prescription },
      person: reason("PRESCRIPTION_FOR_UNKNOWN_PRODUCT", { prescription, customer: customerId, why }),
    });
  }
}
