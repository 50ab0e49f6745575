import { type RawBuilder, sql } from "kysely";
import type { Database, Trx } from "../db/database.ts";
import type { Json } from "../vendors/contract.ts";
import type { EventName } from "../vendors/webhook.ts";
import type { FollowUp, Queue, Reason } from "./reasons.ts";
import type { StepCall } from "./step-data.ts";

/** The task of a run, as its step knows it. */
export interface TaskInfo {
  id: number;
  step: string;
  customerId: number | null;
  invoiceId: string | null;
  createdAt: Date;
}

/** A vendor's event and its attributes. */
interface EventCall {
  step: EventName;
  data: Record<string, Json>;
}

/** A task to insert. `key` is unique with `step`: a repeat is not inserted. */
export type NewTask = (StepCall | EventCall) & {
  key: string | RawBuilder<string>;
  vendor: Queue;
  /** PARKED and MANUAL_INTERVENTION need a reason. */
  status?: "PENDING" | "PARKED" | "MANUAL_INTERVENTION";
  reason?: Reason | undefined;
  runAfter?: Date | undefined;
  customerId?: number | null;
  invoiceId?: string | null;
  causedBy?: number;
  /** Of a question: see {@link FollowUp.facts}. */
  facts?: string;
};

/** Inserts tasks in one statement. Returns the ids of the new ones. */
export async function insertTasks(db: Database | Trx, tasks: readonly NewTask[]): Promise<number[]> {
  if (tasks.length === 0) return [];
  const rows = await db
    .insertInto("clockwork.tasks")
    .values(tasks.map((task) => ({
      step: task.step,
      key: task.key,
      vendor: task.vendor,
      data: JSON.stringify({ ...task.data, facts: task.facts }),
      status: task.status ?? "PENDING",
      reason: task.reason ? reasonText(task.reason) : null,
      reason_code: task.reason?.code ?? null,
      run_after: task.runAfter ?? sql<Date>`clockwork.now()`,
      customer_id: task.customerId ?? null,
      invoice_id: task.invoiceId ?? null,
      caused_by: task.causedBy ?? null,
    })))
    .onConflict((conflict) => conflict.constraint("tasks_step_key_is_unique").doNothing())
    .returning("id")
    .execute();
  return rows.map((row) => row.id);
}

/**
 * The follow-ups of a task, keyed `<task>:<n>`. A resent task goes on counting, so its follow-ups are always inserted.
 * `clockwork.effects` and `tracker` keep anything from happening twice, not this key.
 */
export function followUpTasks(
  task: TaskInfo,
  followUps: readonly FollowUp[],
  queueOf: (step: string) => Queue,
): NewTask[] {
  return followUps.map(({ runAfter, why, person, customerId, invoiceId, ...call }, index) => ({
    ...call,
    key: sql<string>`${`${task.id}:`}::text || (${index + 1} + (
      select count(*) from clockwork.tasks as siblings where siblings.caused_by = ${task.id}))`,
    vendor: queueOf(call.step),
    causedBy: task.id,
    customerId: customerId ?? task.customerId,
    invoiceId: invoiceId ?? task.invoiceId,
    runAfter,
    status: person ? "MANUAL_INTERVENTION" : "PENDING",
    reason: person ?? why,
  }));
}

/** The catalogue's sentence for a reason, rendered by the database, where the sentences live. */
export function reasonText(reason: Reason) {
  return sql<string>`clockwork.reason_text(${reason.code}, ${JSON.stringify(reason.details)}::jsonb)`;
}

/** Locks up to `limit` due tasks of a queue that no other drain is taking now. Returns their ids. */
export async function lockDueTasks(trx: Trx, queue: Queue, limit: number): Promise<number[]> {
  const rows = await trx
    .selectFrom("clockwork.tasks")
    .select("id")
    .where("vendor", "=", queue)
    .where("status", "=", "PENDING")
    .where("run_after", "<=", sql<Date>`clockwork.now()`)
    .orderBy("run_after")
    .orderBy("id")
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute();
  return rows.map((row) => row.id);
}

/** Moves PENDING tasks to QUEUED, each with its job. */
export async function queueTasks(
  trx: Trx,
  jobs: readonly { taskId: number; jobId: string }[],
): Promise<void> {
  await sql`
    update clockwork.tasks set status = 'QUEUED', job_id = jobs.job_id
    from unnest(${jobs.map((job) => job.taskId)}::bigint[], ${
    jobs.map((job) => job.jobId)
  }::uuid[]) as jobs (task_id, job_id)
    where tasks.id = jobs.task_id and tasks.status = 'PENDING'
  `.execute(trx);
}

export interface QueuedTask extends TaskInfo {
  jobId: string;
  data: unknown;
  /** Counted tries, over all its jobs. */
  attempts: number;
}

/** The QUEUED tasks of these jobs. A job whose task moved on is not among them. */
export async function readQueuedTasks(db: Database, jobIds: readonly string[]): Promise<QueuedTask[]> {
  const rows = await db
    .selectFrom("clockwork.tasks")
    .select(["id", "step", "data", "customer_id", "invoice_id", "created_at", "job_id", "attempts"])
    .where("status", "=", "QUEUED")
    .where("job_id", "in", [...jobIds])
    .execute();
  return rows.map((row) => ({
    id: row.id,
    step: row.step,
    data: row.data,
    customerId: row.customer_id,
    invoiceId: row.invoice_id,
    createdAt: row.created_at,
    jobId: row.job_id ?? "",
    attempts: row.attempts,
  }));
}

/** The change that a settle writes to the task. `counted`: this try counts as an attempt. */
export interface TaskMove {
  status: "DONE" | "PENDING" | "QUEUED" | "MANUAL_INTERVENTION" | "PARKED" | "CANCELLED";
  reason?: Reason | undefined;
  runAfter?: Date | undefined;
  counted: boolean;
}

/** Moves a task that is still QUEUED under this job. False: a person or a later run took it; the caller must roll back. */
export async function moveQueuedTask(
  trx: Trx,
  task: TaskInfo,
  jobId: string,
  move: TaskMove,
): Promise<boolean> {
  const row = await trx
    .updateTable("clockwork.tasks")
    .set((eb) => ({
      status: move.status,
      reason: move.reason ? reasonText(move.reason) : null,
      reason_code: move.reason?.code ?? null,
      job_id: move.status === "QUEUED" ? jobId : null,
      done_at: move.status === "DONE" ? sql<Date>`clockwork.now()` : null,
      customer_id: task.customerId,
      invoice_id: task.invoiceId,
      attempts: eb("attempts", "+", move.counted ? 1 : 0),
      // A clock that differs from the database's could set a wait that is over already: it must not run in circles.
      run_after: move.runAfter
        ? sql<Date>`greatest(${move.runAfter}::timestamptz, clockwork.now() + interval '1 second')`
        : eb.ref("run_after"),
    }))
    .where("id", "=", task.id)
    .where("status", "=", "QUEUED")
    .where("job_id", "=", jobId)
    .returning("id")
    .executeTakeFirst();
  return row !== undefined;
}

/** Sets the customer of a task that was settled before its customer was known. */
export async function setCustomer(trx: Trx, taskId: number, customerId: number): Promise<void> {
  await trx.updateTable("clockwork.tasks").set({ customer_id: customerId }).where("id", "=", taskId)
    .execute();
}
