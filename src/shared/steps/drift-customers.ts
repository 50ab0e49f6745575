import { z } from "zod";
import {
  commitPage,
  comparePage,
  CUSTOMERS_AT_ONCE,
  type Met,
  type PageLook,
  REGISTRY_COLUMNS,
  type RegistryRow,
  rowsBy,
} from "../owners/drift-page.ts";
import { wakeQuietQuestions } from "../owners/drift-questions.ts";
import { planOf } from "../owners/plan.ts";
import { defineStep, type StepContext } from "../queue/step.ts";

/**
 * Every night: does each mirror show what its owner says? One page of Stripe's customers (with their subscriptions, in
 * one call) a task, against their profiles at the CRM (one call) and their rows in the registry; then whom Stripe did
 * not list, page by page of the registry.
 */
export const driftCustomers = defineStep({
  handles: ["drift.customers"],
  queue: "stripe",
  data: z.strictObject({
    /** The night it belongs to; absent on demand. */
    night: z.string().optional(),
    run_id: z.number().int().optional(),
    page: z.number().int().optional(),
    cursor: z.string().optional(),
    /** Stripe's list is through: the registry's row behind which to go on with whom it did not have. */
    after: z.number().int().optional(),
  }),
  async run(ctx, { run_id: runId, page = 0, cursor, after }) {
    const place = { pass: "stripe", runId, page } as const;
    if (runId !== undefined && after !== undefined) {
      const rows = await unseen(ctx, "stripe", runId, after);
      const { look, met } = await compareUnseen(ctx, rows);
      const last = rows.length === CUSTOMERS_AT_ONCE ? rows.at(-1) : undefined;
      return {
        kind: "done",
        commit: async (trx) => {
          if (!last) await wakeQuietQuestions(trx);
          return await commitPage(
            trx,
            ctx,
            place,
            look,
            met,
            last ? (run) => ({ step: "drift.customers", data: { ...run, after: last.id } }) : null,
          );
        },
      };
    }
    const listed = await ctx.vendors.stripe.listCustomers(cursor ?? null);
    const { met, unknown } = await meet(ctx, listed.entries);
    const look = await comparePage(ctx, "stripe", met);
    look.unlinked += unknown;
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
          (run) => ({ step: "drift.customers", data: { ...run, ...from } }),
        ),
    };
  },
});

type Listed = Awaited<ReturnType<StepContext["vendors"]["stripe"]["listCustomers"]>>["entries"];

async function meet(ctx: StepContext, listed: Listed): Promise<{ met: Met[]; unknown: number }> {
  const { db } = ctx.deps;
  const ids = listed.map(({ id }) => id);
  const rows = await rowsBy(db, "stripe_customer_id", ids);
  const { pharmacy_time_zone: zone } = await db.selectFrom("clockwork.settings")
    .select("pharmacy_time_zone").executeTakeFirstOrThrow();
  const met = listed.flatMap(({ id, email, phone, subscriptions }): Met[] => {
    const row = rows.get(id);
    return row ? [{ row, plan: planOf(subscriptions, zone), stripe: { email, phone }, login: null }] : [];
  });
  const strangers = ids.filter((id) => !rows.has(id));
  // A key that was given up still tells whose it is.
  const former = strangers.length === 0 ? [] : await db.selectFrom("registry.former_keys").select("key")
    .where("system", "=", "stripe").where("key", "in", strangers).execute();
  return { met, unknown: strangers.length - former.length };
}

/** Customers of the registry who did not turn up at the vendor in this run. */
async function unseen(
  ctx: StepContext,
  vendor: "stripe",
  runId: number,
  after: number,
): Promise<RegistryRow[]> {
  return await ctx.deps.db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
    .where("id", ">", after).where("merged_into", "is", null)
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("tracker.drift_looks as looks")
          .select("looks.customer_id")
          .whereRef("looks.customer_id", "=", "registry.customers.id")
          .where("looks.vendor", "=", vendor)
          .where("looks.run_id", "=", runId),
      ))
    )
    .orderBy("id").limit(CUSTOMERS_AT_ONCE).execute();
}

/** Who has a key that Stripe did not list is asked for by it; the others are compared without Stripe. */
async function compareUnseen(
  ctx: StepContext,
  rows: readonly RegistryRow[],
): Promise<{ look: PageLook; met: Met[] }> {
  const met = rows.filter((row) => row.stripe_customer_id === null)
    .map((row): Met => ({ row, plan: null, stripe: null, login: null }));
  const look = await comparePage(ctx, "stripe", met);
  for (const row of rows) {
    if (row.stripe_customer_id === null) continue;
    look.suspects.push({ customerId: row.id, fact: "contact" });
  }
  return { look, met };
}
