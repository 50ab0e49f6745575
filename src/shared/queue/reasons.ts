import type { Trx } from "../db/database.ts";
import type { StepCall, StepName } from "./step-data.ts";
import type { ClockworkReasonsCode, ClockworkVendorsVendor } from "../db/types.ts";

/** A code of `clockwork.reasons`; the sentences live there and only there. */
export type ReasonCode = ClockworkReasonsCode;

/** A catalogued reason and what fills its sentence: ids, states and numbers, never a vendor's words. */
export interface Reason {
  code: ReasonCode;
  details: Record<string, string | number>;
}

export function reason(code: ReasonCode, details: Reason["details"] = {}): Reason {
  return { code, details };
}

/** A queue: a role's calls, or `internal` for work that calls nobody. A row of `clockwork.vendors`. */
export type Queue = ClockworkVendorsVendor;
export const QUEUES = [
  "stripe",
  "health",
  "pharmacy",
  "crm",
  "login",
  "internal",
] as const satisfies readonly Queue[];

/**
 * A follow-up task. A function that makes one names this type as what it returns: only then does the compiler refuse a
 * field that the step does not have. `person`: it is born in MANUAL_INTERVENTION, and a resend does what it proposes.
 */
export type FollowUp<Name extends StepName = StepName> = StepCall<Name> & {
  runAfter?: Date;
  /** Why it is not run at once. */
  why?: Reason;
  person?: Reason;
  /** Whose it is; default: whose the task is that asks for it. */
  customerId?: number;
  /** Whose story it belongs to; default: the story of the task that asks for it. */
  invoiceId?: string;
};

/** Trying again the same way may help. Counted; after the last try a person is asked. */
export class Retryable extends Error {
  override name = "Retryable";
  readonly reason: Reason;
  constructor(code: ReasonCode, details: Reason["details"] = {}) {
    super(code);
    this.reason = reason(code, details);
  }
}

/** Looked at once more in the settling transaction: true when what stopped the task has been set right meanwhile. */
export type Unless = (trx: Trx) => Promise<boolean>;

/**
 * Only a person can help. `unless` closes the gap between the look that failed and the stop: whoever sets the matter
 * right in between wakes only what has stopped already.
 */
export class Permanent extends Error {
  override name = "Permanent";
  readonly reason: Reason;
  readonly unless: Unless | undefined;
  constructor(code: ReasonCode, details: Reason["details"] = {}, unless?: Unless) {
    super(code);
    this.reason = reason(code, details);
    this.unless = unless;
  }
}

/** Not now, and nobody's fault: the task goes back to PENDING until `until`, uncounted. */
export class Wait extends Error {
  override name = "Wait";
  readonly reason: Reason;
  readonly until: Date;
  constructor(until: Date, code: ReasonCode, details: Reason["details"] = {}) {
    super(code);
    this.until = until;
    this.reason = reason(code, details);
  }
}
