import { type Role, VendorError } from "../vendors/contract.ts";
import type { JobAttempt } from "./boss.ts";
import { once } from "./effects.ts";
import { refusesOurKey, type VendorGate } from "./gate.ts";
import { Permanent, type Reason, reason, refusalOf, Retryable, type Unless, Wait } from "./reasons.ts";
import type { Commit, Outcome, StepContext, Vendors } from "./step.ts";
import type { QueuedTask, TaskInfo, TaskMove } from "./tasks.ts";
import type { DrainDeps } from "./turn.ts";

/** How one run of a task ended, ready to be settled. */
export interface Result extends Ending {
  task: TaskInfo;
  job: JobAttempt;
  isLastTry: boolean;
}

interface Ending {
  /** True: pg-boss tries again with backoff. */
  isRetry: boolean;
  move: TaskMove;
  commit?: Commit | undefined;
  unless?: Unless | undefined;
}

/** Runs a task's step and turns its outcome or its error into a {@link Result}. Never throws. */
export async function runTask(
  deps: DrainDeps,
  gate: VendorGate,
  task: QueuedTask,
  job: JobAttempt,
  retryLimit: number,
): Promise<Result> {
  // Counted over all its jobs: a wait or a pause in between gives a task no new tries.
  const isLastTry = task.attempts >= retryLimit;
  try {
    const step = deps.steps.find(task.step);
    if (!step) throw new Permanent("UNKNOWN_STEP", { step: task.step });
    const outcome = await step.run(makeContext(deps, gate, task), task.data);
    await deps.faultPoint?.("step ran");
    return { task, job, isLastTry, ...endingOf(outcome) };
  } catch (error) {
    return { task, job, isLastTry, ...endingBy(deps, gate, task, error, isLastTry) };
  }
}

/** The drain's time is up: the task goes back to PENDING unchanged, and the next drain takes it. */
export function handBack(task: QueuedTask, job: JobAttempt): Result {
  return { task, job, isLastTry: false, isRetry: false, move: { status: "PENDING", counted: false } };
}

/** The result of a try whose own result could not be written. */
export function unsettled({ task, job, isLastTry }: Result, error: unknown): Result {
  return { task, job, isLastTry, ...failed(reason("INTERNAL_ERROR", { error: nameOf(error) }), isLastTry) };
}

/** The kind of an error. Its message may hold data, and is never logged. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function makeContext(deps: DrainDeps, gate: VendorGate, task: TaskInfo): StepContext {
  const guarded = <R extends Role>(role: R): Vendors[R] => gate.guard(role, deps.vendors[role]);
  return {
    deps,
    task,
    vendors: {
      stripe: guarded("stripe"),
      health: guarded("health"),
      pharmacy: guarded("pharmacy"),
      crm: guarded("crm"),
      login: guarded("login"),
    },
    steps: deps.steps,
    now: deps.clock,
    about({ customerId = task.customerId, invoiceId = task.invoiceId }) {
      task.customerId = customerId;
      task.invoiceId = invoiceId;
    },
    once: (effect) => once(deps, task.id, effect),
  };
}

const STATUS_AFTER = {
  done: "DONE",
  cancelled: "CANCELLED",
  stopped: "MANUAL_INTERVENTION",
  parked: "PARKED",
  wait: "PENDING",
} as const;

function endingOf(outcome: Outcome): Ending {
  return {
    isRetry: false,
    move: {
      status: STATUS_AFTER[outcome.kind],
      reason: outcome.kind === "done" ? undefined : outcome.reason,
      runAfter: outcome.kind === "wait" ? outcome.until : undefined,
      counted: outcome.kind !== "wait",
    },
    commit: outcome.commit,
  };
}

function endingBy(
  deps: DrainDeps,
  gate: VendorGate,
  task: TaskInfo,
  error: unknown,
  isLastTry: boolean,
): Ending {
  if (error instanceof Wait) return endingOf({ kind: "wait", until: error.until, reason: error.reason });
  if (error instanceof Permanent) return { ...stopped(error.reason), unless: error.unless };
  if (error instanceof Retryable) return failed(error.reason, isLastTry);
  if (error instanceof VendorError) {
    const { vendor, operation, failure } = error;
    if (failure === "refused" && !refusesOurKey(error)) return stopped(refusalOf(error));
    // A call that opened a pause, or met one, is no failure of the task.
    const until = gate.pausedUntil(vendor);
    return until
      ? endingOf({ kind: "wait", until, reason: reason("VENDOR_PAUSED", { vendor }) })
      : failed(reason("VENDOR_UNANSWERED", { vendor, operation }), isLastTry);
  }
  // A bug, or our own database.
  deps.log("step_failed", { task: task.id, step: task.step, error: nameOf(error), at: frameOf(error) });
  return failed(reason("INTERNAL_ERROR", { error: nameOf(error) }), isLastTry);
}

function stopped(why: Reason): Ending {
  return endingOf({ kind: "stopped", reason: why });
}

function failed(why: Reason, isLastTry: boolean): Ending {
  return isLastTry ? stopped(why) : { isRetry: true, move: { status: "QUEUED", reason: why, counted: true } };
}

/** The first frame of the stack. The message above it may hold data, and is cut off. */
function frameOf(error: unknown): string {
  if (!(error instanceof Error) || !error.stack?.includes(error.message)) return "-";
  const frames = error.stack.slice(error.stack.indexOf(error.message) + error.message.length).split("\n");
  return frames.find((line) => /^\s+at .*:\d+:\d+\)?$/.test(line))?.trim().slice(0, 200) ?? "-";
}
