import type { Trx } from "../db/database.ts";
import { ask } from "../queue/ask.ts";
import { type FollowUp, Wait } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { setCustomer } from "../queue/tasks.ts";
import { identify, lostReference, type Sighting } from "./identify.ts";

/** The sign-up that makes the row, or news of the other key, may be under way: for so long nobody is asked. */
const NAMED_WITHIN_MS = 10 * 60_000;
const LOOK_AGAIN_MS = 60_000;

/** Waits while the record names a customer or a key that is in no row yet. */
export async function waitForNamed(ctx: StepContext, sighting: Sighting): Promise<void> {
  const lost = await lostReference(ctx.deps.db, sighting);
  if (!lost || ctx.now().getTime() - ctx.task.createdAt.getTime() >= NAMED_WITHIN_MS) return;
  throw new Wait(new Date(ctx.now().getTime() + LOOK_AGAIN_MS), lost.code, lost.details);
}

/** Links a key to its customer, or asks a person; for the settling transaction. */
export async function linkOrAsk(
  ctx: StepContext,
  trx: Trx,
  sighting: Sighting,
): Promise<{ customerId: number | undefined; followUps: FollowUp[] }> {
  const found = await identify(trx, sighting);
  if (found.kind === "merge") {
    const { from, into, why } = found;
    await assignCustomer(ctx, trx, from);
    await ask(trx, ctx, { step: "customer.merge", data: { from, into }, person: why });
    return { customerId: undefined, followUps: [] };
  }
  const { customerId } = found;
  if (customerId !== undefined) await assignCustomer(ctx, trx, customerId);
  if (found.kind === "ask") {
    // Without a customer_id: a careless resend then makes a row too many at worst, and never a wrong link.
    const data = { system: sighting.system, key: sighting.key, customer_id: null };
    await ask(trx, ctx, { step: "customer.link", data, person: found.why });
  }
  return { customerId, followUps: found.kind === "linked" ? [linked(found.customerId)] : [] };
}

/** The task after a customer got a key: it looks at their orders, refills and mirrors again. */
export function linked(customerId: number): FollowUp {
  return { step: "customer.linked", data: { customer_id: customerId } };
}

/** Makes the task the customer's, and its row, which was settled a moment ago without a customer. */
export async function assignCustomer(ctx: StepContext, trx: Trx, customerId: number): Promise<void> {
  if (ctx.task.customerId === customerId) return;
  ctx.about({ customerId });
  await setCustomer(trx, ctx.task.id, customerId);
}
