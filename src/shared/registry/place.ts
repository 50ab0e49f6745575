import type { Trx } from "../db/database.ts";
import { identify, lostReference, type Sighting } from "./identify.ts";
import type { Key } from "./keys.ts";
import { ask } from "../queue/ask.ts";
import { type FollowUp, type Reason, Wait } from "../queue/reasons.ts";
import type { StepContext } from "../queue/step.ts";
import { setCustomer } from "../queue/tasks.ts";

/** The sign-up that makes the row, or news of the other key, may be under way: so long nobody is asked. */
const NAMED_WITHIN_MS = 10 * 60_000;
const LOOK_AGAIN_MS = 60_000;

/** Waits while what a record names is not there yet. */
export async function waitForNamed(ctx: StepContext, seen: Sighting): Promise<void> {
  const lost = await lostReference(ctx.deps.db, seen);
  if (!lost || ctx.now().getTime() - ctx.task.createdAt.getTime() >= NAMED_WITHIN_MS) return;
  throw new Wait(new Date(ctx.now().getTime() + LOOK_AGAIN_MS), lost.code, lost.details);
}

/** Puts a key where it belongs, or asks a person; for the settling transaction. */
export async function place(
  ctx: StepContext,
  trx: Trx,
  seen: Sighting,
): Promise<{ customerId: number | undefined; followUps: FollowUp[] }> {
  const found = await identify(trx, seen);
  switch (found.kind) {
    case "known":
      await tellWhose(ctx, trx, found.customerId);
      return { customerId: found.customerId, followUps: [] };
    case "linked":
      await tellWhose(ctx, trx, found.customerId);
      return { customerId: found.customerId, followUps: [linked(found.customerId)] };
    case "merge":
      await tellWhose(ctx, trx, found.from);
      await ask(trx, ctx, {
        step: "customer.merge",
        data: { from: found.from, into: found.into },
        person: found.why,
      });
      return { customerId: undefined, followUps: [] };
    case "ask":
      if (found.customerId !== undefined) await tellWhose(ctx, trx, found.customerId);
      await askWhose(ctx, trx, seen, found.why);
      return { customerId: found.customerId, followUps: [] };
  }
}

/** What follows wherever a customer got a key: their orders, refills and mirrors are looked at with it. */
export function linked(customerId: number): FollowUp {
  return { step: "customer.linked", data: { customer_id: customerId } };
}

/** Without a customer_id, so that a careless resend makes a row too many at worst, and never a wrong link. */
async function askWhose(ctx: StepContext, trx: Trx, { system, key }: Key, why: Reason): Promise<void> {
  await ask(trx, ctx, { step: "customer.link", data: { system, key, customer_id: null }, person: why });
}

/** The task's own row was settled a moment ago, when nobody knew whose it is. */
export async function tellWhose(ctx: StepContext, trx: Trx, customerId: number): Promise<void> {
  if (ctx.task.customerId === customerId) return;
  ctx.about({ customerId });
  await setCustomer(trx, ctx.task.id, customerId);
}
