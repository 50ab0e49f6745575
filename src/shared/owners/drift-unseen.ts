import type { FollowUp } from "../queue/reasons.ts";
import type { Outcome, StepContext } from "../queue/step.ts";
import {
  commitPage,
  comparePage,
  CUSTOMERS_AT_ONCE,
  type DriftStep,
  KEY_OF,
  type Met,
  REGISTRY_COLUMNS,
  type RegistryRow,
  type RunPage,
} from "./drift-page.ts";
import { wakeQuietQuestions } from "./drift-questions.ts";

/**
 * The end of a run: a page of the registry's customers whom the vendor's list did not show. One with a key there gets a
 * second look, which reads the key; the others are compared without it.
 * @param step the run's own step, for the next page
 * @param after the last customer of the page before, or 0
 */
export async function compareUnseen(
  ctx: StepContext,
  step: DriftStep,
  runPage: RunPage,
  after: number,
): Promise<Outcome> {
  const rows = await unseen(ctx, runPage, after);
  const key = KEY_OF[runPage.vendor];
  const met = rows.filter((row) => !row[key])
    .map((row): Met => ({ row, plan: null, stripe: null, login: null }));
  const compared = await comparePage(ctx, runPage.vendor, met);
  for (const row of rows) if (row[key]) compared.suspects.push({ customerId: row.id, fact: "contact" });
  const last = rows.length === CUSTOMERS_AT_ONCE ? rows.at(-1) : undefined;
  const next = last
    ? (run: { run_id: number; page: number }): FollowUp => ({ step, data: { ...run, after: last.id } })
    : null;
  return {
    kind: "done",
    commit: async (trx) => {
      if (!last) await wakeQuietQuestions(trx);
      return await commitPage(trx, ctx, runPage, compared, met, next);
    },
  };
}

async function unseen(ctx: StepContext, { vendor, runId }: RunPage, after: number): Promise<RegistryRow[]> {
  return await ctx.deps.db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
    .where("id", ">", after).where("merged_into", "is", null)
    // Stripe's run goes through every customer; a customer without a login has none to compare.
    .$if(vendor === "login", (query) => query.where("login_user_id", "is not", null))
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
