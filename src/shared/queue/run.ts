import { type Role, VendorError } from "../vendors/contract.ts";
import type { Deps } from "./deps.ts";
import { once } from "./effects.ts";
import { refusesOurKey, type VendorGate } from "./gate.ts";
import { Permanent, type Reason, reason, Retryable, type Unless, Wait } from "./reasons.ts";
import type { Commit, Outcome, StepContext, StepTable, Vendors } from "./step.ts";
import type { QueuedTask, TaskInfo, TaskMove } from "./tasks.ts";

/** How one run of a task ended, ready to be settled. */
export interface Result {
  task: TaskInfo;
  jobId: string;
  retryCount: number;
  isLastTry: boolean;
  /** `retry`: pg-boss tries again with backoff. */
  ending: "settled" | "retry";
  move: TaskMove;
  commit?: Commit;
  unless?: Unless;
}

/** Runs a task's step and turns whatever it returns or throws into a {@link Result}. Never throws. */
export async function runTask(
  deps: Deps,
  vendors: Vendors,
  gate: VendorGate,
  steps: StepTable,
  queued: QueuedTask,
  job: { id: string; retryCount: number; retryLimit: number },
): Promise<Result> {
  const task = taskOf(queued);
  // Counted over all its jobs: a wait or a pause in between gives a task no new tries.
  const isLastTry = queued.attempts >= job.retryLimit;
  const base = { task, jobId: job.id, retryCount: job.retryCount, isLastTry };
  try {
    const step = steps.find(task.step);
    if (!step) throw new Permanent("UNKNOWN_STEP", { step: task.step });
    const outcome = await step.run(makeContext(deps, vendors, gate, steps, task), queued.data);
    await deps.faultPoint?.("step ran");
    return { ...base, ending: "settled", ...settledBy(outcome) };
  } catch (error) {
    return { ...base, ...endedBy(deps, gate, task, error, isLastTry) };
  }
}

function makeContext(
  deps: Deps,
  vendors: Vendors,
  gate: VendorGate,
  steps: StepTable,
  task: TaskInfo,
): StepContext {
  const guarded = <R extends Role>(role: R): Vendors[R] => gate.guard(role, vendors[role]);
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
    steps,
    now: deps.clock,
    about(story) {
      task.customerId = story.customerId ?? task.customerId;
      task.invoiceId = story.invoiceId ?? task.invoiceId;
    },
    once: (effect) => once(deps, task.id, effect),
  };
}

function settledBy(outcome: Outcome): { move: TaskMove; commit?: Commit } {
  const commit = "commit" in outcome && outcome.commit ? { commit: outcome.commit } : {};
  switch (outcome.kind) {
    case "done":
      return { move: { status: "DONE", counted: true }, ...commit };
    case "cancelled":
      return { move: { status: "CANCELLED", reason: outcome.reason, counted: true }, ...commit };
    case "stopped":
      return { move: { status: "MANUAL_INTERVENTION", reason: outcome.reason, counted: true }, ...commit };
    case "parked":
      return { move: { status: "PARKED", reason: outcome.reason, counted: true } };
    case "wait":
      return {
        move: { status: "PENDING", reason: outcome.reason, runAfter: outcome.until, counted: false },
        ...commit,
      };
  }
}

function endedBy(
  deps: Deps,
  gate: VendorGate,
  task: TaskInfo,
  error: unknown,
  isLastTry: boolean,
): Pick<Result, "ending" | "move" | "unless"> {
  if (error instanceof Wait) {
    return {
      ending: "settled",
      move: { status: "PENDING", reason: error.reason, runAfter: error.until, counted: false },
    };
  }
  if (error instanceof Permanent) {
    return { ...stopped(error.reason), ...(error.unless ? { unless: error.unless } : {}) };
  }
  if (error instanceof VendorError) {
    const { vendor, operation, failure, details } = error;
    if (failure === "refused" && !refusesOurKey(error)) {
      const { status = "-", code = "-" } = details;
      return stopped(reason("VENDOR_REFUSED", { vendor, operation, status, code }));
    }
    // What opened a pause, or met one, is the vendor's trouble and not the task's: it waits, uncounted.
    const pausedUntil = gate.pausedUntil(vendor);
    if (pausedUntil) {
      return {
        ending: "settled",
        move: {
          status: "PENDING",
          reason: reason("VENDOR_PAUSED", { vendor }),
          runAfter: pausedUntil,
          counted: false,
        },
      };
    }
    return failed(reason("VENDOR_UNANSWERED", { vendor, operation }), isLastTry);
  }
  if (error instanceof Retryable) return failed(error.reason, isLastTry);
  // A bug, or our own database. The message may hold data, so only the kind and the place are logged.
  const kind = error instanceof Error ? error.name : typeof error;
  deps.log("step_failed", { task: task.id, step: task.step, error: kind, at: placeOf(error) });
  return failed(reason("INTERNAL_ERROR", { error: kind }), isLastTry);
}

function stopped(why: Reason): Pick<Result, "ending" | "move"> {
  return { ending: "settled", move: { status: "MANUAL_INTERVENTION", reason: why, counted: true } };
}

/** The drain's time is up: the task goes back as it came, and the next drain takes it. */
export function handBack(queued: QueuedTask, job: { id: string; retryCount: number }): Result {
  return {
    task: taskOf(queued),
    jobId: job.id,
    retryCount: job.retryCount,
    isLastTry: false,
    ending: "settled",
    move: { status: "PENDING", counted: false },
  };
}

function taskOf({ id, step, customerId, invoiceId, createdAt }: QueuedTask): TaskInfo {
  return { id, step, customerId, invoiceId, createdAt };
}

/** A result that could not be written is this try's failure. */
export function unsettled(result: Result, error: unknown): Result {
  const kind = error instanceof Error ? error.name : typeof error;
  const { task, jobId, retryCount, isLastTry } = result;
  return {
    task,
    jobId,
    retryCount,
    isLastTry,
    ...failed(reason("INTERNAL_ERROR", { error: kind }), isLastTry),
  };
}

function failed(why: Reason, isLastTry: boolean): Pick<Result, "ending" | "move"> {
  return isLastTry
    ? stopped(why)
    : { ending: "retry", move: { status: "QUEUED", reason: why, counted: true } };
}

/** Where it was thrown: the first frame below the message, which may hold data and is cut off. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error) || !error.stack) return "-";
  const end = error.stack.indexOf(error.message) + error.message.length;
  const frames = error.stack.includes(error.message) ? error.stack.slice(end).split("\n") : [];
  const frame = frames.find((line) => /^\s+at .*:\d+:\d+\)?$/.test(line));
  return frame?.trim().slice(0, 200) ?? "-";
}
