import {
  beginRun,
  commitPage,
  comparePage,
  type DriftStep,
  isAwaited,
  type Met,
  rowsBy,
} from "../../owners/drift-page.ts";
import { compareUnseen } from "../../owners/drift-unseen.ts";
import { planOf } from "../../owners/plan.ts";
import { pharmacyZone } from "../../queue/settings.ts";
import type { FollowUp } from "../../queue/reasons.ts";
import type { DataOf } from "../../queue/step-data.ts";
import { defineOwnStep, type Outcome, type StepContext } from "../../queue/step.ts";

/** One page of a vendor's list. */
interface Page {
  /** The entries that have a row in the registry. */
  met: Met[];
  /** The number of the others. */
  strangers: number;
  next: string | null;
}

/**
 * Every night: does each mirror show its owner's value? A task reads a page of Stripe's customers with their subscriptions,
 * and compares it with their profiles at the CRM (one call) and the registry. At the end come the customers that Stripe did
 * not list, page by page of the registry.
 */
export const driftCustomers = defineOwnStep("drift.customers", {
  queue: "stripe",
  run: (ctx, data) => comparedPage(ctx, data, "drift.customers", "stripe", listCustomers),
});

/**
 * Every night: does each login show the email of the CRM? A task compares a page of Supabase Auth's users with their
 * profiles at the CRM (one call). At the end come the logins that were not listed. A login is never set: its customer is
 * asked, once for each address.
 */
export const driftLogins = defineOwnStep("drift.logins", {
  queue: "login",
  run: (ctx, data) => comparedPage(ctx, data, "drift.logins", "login", listLogins),
});

async function comparedPage(
  ctx: StepContext,
  { run_id: runId, page = 0, cursor, after }: DataOf<DriftStep>,
  step: DriftStep,
  pass: "stripe" | "login",
  list: (ctx: StepContext, cursor: string | null) => Promise<Page>,
): Promise<Outcome> {
  if (runId === undefined) return beginRun(ctx, step, pass);
  const at = { pass, runId, page };
  if (!(await isAwaited(ctx.deps.db, at))) return { kind: "done" };
  if (after !== undefined) return await compareUnseen(ctx, step, at, after);
  const { met, strangers, next } = await list(ctx, cursor ?? null);
  const look = await comparePage(ctx, pass, met);
  look.unlinked += strangers;
  const from = next === null ? { after: 0 } : { cursor: next };
  const nextPage = (run: { run_id: number; page: number }): FollowUp => ({ step, data: { ...run, ...from } });
  return { kind: "done", commit: (trx) => commitPage(trx, ctx, at, look, met, nextPage) };
}

/** The renewals' finder asks about strangers who pay. */
async function listCustomers(ctx: StepContext, cursor: string | null): Promise<Page> {
  const { db } = ctx.deps;
  const { entries, next } = await ctx.vendors.stripe.listCustomers(cursor);
  const rows = await rowsBy(db, "stripe_customer_id", entries.map(({ id }) => id));
  const timeZone = await pharmacyZone(db);
  const met = entries.flatMap(({ id, email, phone, subscriptions }): Met[] => {
    const row = rows.get(id);
    return row ? [{ row, plan: planOf(subscriptions, timeZone), stripe: { email, phone }, login: null }] : [];
  });
  const unknown = entries.map(({ id }) => id).filter((id) => !rows.has(id));
  // A former key still leads to its customer.
  const former = unknown.length === 0 ? [] : await db.selectFrom("registry.former_keys").select("key")
    .where("system", "=", "stripe").where("key", "in", unknown).execute();
  return { met, strangers: unknown.length - former.length, next };
}

async function listLogins(ctx: StepContext, cursor: string | null): Promise<Page> {
  const { entries, next } = await ctx.vendors.login.listUsers(cursor);
  const rows = await rowsBy(ctx.deps.db, "login_user_id", entries.map(({ id }) => id));
  const met = entries.flatMap((login): Met[] => {
    const row = rows.get(login.id);
    return row ? [{ row, plan: null, stripe: null, login }] : [];
  });
  return { met, strangers: entries.length - met.length, next };
}
