import { sql } from "kysely";
import type { Database } from "../../src/shared/db/database.ts";
import type { ClockworkTaskStatus } from "../../src/shared/db/types.ts";
import type { ReasonCode } from "../../src/shared/queue/reasons.ts";
import type { Json } from "../../src/shared/vendors/contract.ts";

/** A task in the midst of its life, as the machinery left it. */
interface Given {
  step: string;
  status?: ClockworkTaskStatus;
  data?: Record<string, Json>;
  attempts?: number;
  code?: ReasonCode;
  runAfter?: Date;
  customerId?: number;
  invoiceId?: string;
  causedBy?: number;
}

/** Writes a task down as it stands. Gives its id. */
export async function given(db: Database, task: Given): Promise<number> {
  const status = task.status ?? "PENDING";
  const code = task.code ?? (["MANUAL_INTERVENTION", "PARKED"].includes(status) ? "INTERNAL_ERROR" : null);
  const { id } = await db.insertInto("clockwork.tasks").values({
    step: task.step,
    status,
    data: JSON.stringify(task.data ?? {}),
    attempts: task.attempts ?? 0,
    reason: code && `It says ${code}.`,
    reason_code: code,
    job_id: status === "QUEUED" ? crypto.randomUUID() : null,
    done_at: status === "DONE" ? sql<Date>`clockwork.now()` : null,
    run_after: task.runAfter ?? sql<Date>`clockwork.now()`,
    customer_id: task.customerId ?? null,
    invoice_id: task.invoiceId ?? null,
    caused_by: task.causedBy ?? null,
  }).returning("id").executeTakeFirstOrThrow();
  return id;
}
