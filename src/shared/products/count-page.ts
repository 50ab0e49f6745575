import { countPage, startRun } from "../checks/runs.ts";
import type { FollowUp } from "../queue/reasons.ts";
import type { DataOf } from "../queue/step-data.ts";
import type { Outcome, StepContext } from "../queue/step.ts";
import { addCounts, type CountedSystem, type KeyCount } from "./counts.ts";
import { askAboutKeys } from "./questions.ts";

type CountStep = "product.count_stripe" | "product.count_pharmacy";

/**
 * A page of the nightly count: its numbers, its count in the run, and the task of the next page, all in one transaction.
 * A page that is resent, or whose run is over, adds nothing.
 */
export function countedPage(
  { step, vendor, system }: { step: CountStep; vendor: "stripe" | "pharmacy"; system: CountedSystem },
  ctx: StepContext,
  { night, run_id: begun, page = 0 }: DataOf<CountStep>,
  { seen, next, counts }: { seen: number; next: string | null; counts: ReadonlyMap<string, KeyCount> },
): Outcome {
  return {
    kind: "done",
    commit: async (trx): Promise<FollowUp[]> => {
      const runId = begun ?? await startRun(trx, { work: "product_count", vendor, taskId: ctx.task.id });
      const count = { seen, missing: 0, repaired: 0 };
      if (!(await countPage(trx, runId, page, count, next === null))) return [];
      await addCounts(trx, runId, system, counts);
      if (next === null) await askAboutKeys(trx, ctx, system);
      return next === null ? [] : [{ step, data: { night, run_id: runId, page: page + 1, cursor: next } }];
    },
  };
}
