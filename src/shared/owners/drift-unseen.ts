import type { Outcome, StepContext } from "../queue/step.ts";
import {
  commitPage,
  comparePage,
  CUSTOMERS_AT_ONCE,
  type DriftStep,
  KEY_OF,
  type Met,
  type PagePlace,
  type Pass,
  REGISTRY_COLUMNS,
  type RegistryRow,
} from "./drift-page.ts";
import { wakeQuietQuestions } from "./drift-questions.ts";

/**
 * The end of a pass: a page of the registry, of those whom the vendor's list did not show in this run. Whoever has a key
 * there is looked at by that key; the others are compared without it.
 * @param step the pass's own step, for the page that follows
 */
export async function compareUnseen(
  ctx: StepContext,
  step: DriftStep,
  place: PagePlace,
  after: number,
): Promise<Outcome> {
  const { pass, runId } = place;
  const rows = await unseen(ctx, pass, runId, after);
  const [keyed, keyless] = [
    rows.filter((row) => row[KEY_OF[pass]]),
    rows.filter((row) => !row[KEY_OF[pass]]),
  ];
  const met = keyless.map((row): Met => ({ row, plan: null, stripe: null, login: null }));
  const look = await comparePage(ctx, pass, met);
  look.suspects.push(...keyed.map(({ id }) => ({ customerId: id, fact: "contact" as const })));
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
        last ? (run) => ({ step, data: { ...run, after: last.id } }) : null,
      );
    },
  };
}

async function unseen(ctx: StepContext, pass: Pass, runId: number, after: number): Promise<RegistryRow[]> {
  return await ctx.deps.db.selectFrom("registry.customers").select(REGISTRY_COLUMNS)
    .where("id", ">", after).where("merged_into", "is", null)
    // Stripe's pass answers for everybody; without a login there is none to compare.
    .$if(pass === "login", (query) => query.where("login_user_id", "is not", null))
    .where(({ not, exists, selectFrom }) =>
      not(exists(
        selectFrom("tracker.drift_looks as looks")
          .select("looks.customer_id")
          .whereRef("looks.customer_id", "=", "registry.customers.id")
          .where("looks.vendor", "=", pass)
          .where("looks.run_id", "=", runId),
      ))
    )
    .orderBy("id").limit(CUSTOMERS_AT_ONCE).execute();
}
