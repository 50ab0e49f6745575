import { beginRun, commitPage, comparePage, isAwaited, type Met, rowsBy } from "../../owners/drift-page.ts";
import { compareUnseen } from "../../owners/drift-unseen.ts";
import { planOf } from "../../owners/plan.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import { defineOwnStep, type StepContext } from "../../queue/step.ts";

const STEP = "drift.customers";

/**
 * Every night: does each mirror show what its owner says? One page of Stripe's customers (with their subscriptions, in
 * one call) a task, against their profiles at the CRM (one call) and their rows in the registry; then whom Stripe did
 * not list, page by page of the registry.
 */
export const driftCustomers = defineOwnStep(STEP, {
  queue: "stripe",
  async run(ctx, { run_id: runId, page = 0, cursor, after }) {
    if (runId === undefined) return beginRun(ctx, STEP, "stripe");
    const place = { vendor: "stripe", runId, page } as const;
    if (!(await isAwaited(ctx.deps.db, place))) return { kind: "done" };
    if (after !== undefined) return await compareUnseen(ctx, STEP, place, after);
    const listed = await ctx.vendors.stripe.listCustomers(cursor ?? null);
    const { met, strangers } = await meet(ctx, listed.entries);
    const look = await comparePage(ctx, "stripe", met);
    look.unlinked += strangers;
    const from = listed.next === null ? { after: 0 } : { cursor: listed.next };
    return {
      kind: "done",
      commit: (trx) =>
        commitPage(
          trx,
          ctx,
          place,
          look,
          met,
          (run): FollowUp => ({ step: STEP, data: { ...run, ...from } }),
        ),
    };
  },
});

type Listed = Awaited<ReturnType<StepContext["vendors"]["stripe"]["listCustomers"]>>["entries"];

/** Those on the page who are somebody's. Who is nobody's and pays is asked about by the renewals' finder. */
async function meet(ctx: StepContext, listed: Listed): Promise<{ met: Met[]; strangers: number }> {
  const { db } = ctx.deps;
  const rows = await rowsBy(db, "stripe_customer_id", listed.map(({ id }) => id));
  const timeZone = await pharmacyZone(db);
  const met = listed.flatMap(({ id, email, phone, subscriptions }): Met[] => {
    const row = rows.get(id);
    return row ? [{ row, plan: planOf(subscriptions, timeZone), stripe: { email, phone }, login: null }] : [];
  });
  const unknown = listed.map(({ id }) => id).filter((id) => !rows.has(id));
  // A key that was given up still tells whose it is.
  const former = unknown.length === 0 ? [] : await db.selectFrom("registry.former_keys").select("key")
    .where("system", "=", "stripe").where("key", "in", unknown).execute();
  return { met, strangers: unknown.length - former.length };
}
