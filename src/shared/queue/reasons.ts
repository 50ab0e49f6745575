import type { Trx } from "../db/database.ts";
import type { StepCall, StepName } from "./step-data.ts";
import type { ClockworkReasonsCode, ClockworkVendorsVendor } from "../db/types.ts";
import type { VendorError } from "../vendors/contract.ts";

/** A code of `clockwork.reasons`; the sentences live there and only there. */
export type ReasonCode = ClockworkReasonsCode;

/** A catalogued reason, with the ids, states and numbers that fill its sentence. It holds no words of a vendor. */
export interface Reason {
  code: ReasonCode;
  details: Record<string, string | number>;
}

export function reason(code: ReasonCode, details: Reason["details"] = {}): Reason {
  return { code, details };
}

/** The reason of a stop after a vendor's refusal. */
export function refusalOf({ vendor, operation, details }: VendorError): Reason {
  const { status = "-", code = "-" } = details;
  return reason("VENDOR_REFUSED", { vendor, operation, status, code });
}

/** A queue: a role's calls, or `internal` for work that calls nobody. A row of `clockwork.vendors`. */
export type Queue = ClockworkVendorsVendor;
export const QUEUES: readonly Queue[] = ["stripe", "health", "pharmacy", "crm", "login", "internal"];

/**
 * A follow-up task. A function that makes one names this type as its result: only then does the compiler refuse a field
 * that the step does not have.
 */
export type FollowUp<Name extends StepName = StepName> = StepCall<Name> & {
  runAfter?: Date;
  /** The reason of the delay until `runAfter`. */
  why?: Reason;
  /** Set for a question: the task is inserted in MANUAL_INTERVENTION, and a resend does the proposed thing. */
  person?: Reason;
  /**
   * With `person`: the facts that the question is about, as a short text of ids and amounts (`re_1:500`), kept in its
   * data. An answer holds until they change. No medical fact.
   */
  facts?: string;
  /** Default: the customer of the task that asks for it. */
  customerId?: number;
  /** Default: the invoice of the task that asks for it. */
  invoiceId?: string;
};

class WithReason extends Error {
  readonly reason: Reason;
  constructor(code: ReasonCode, details: Reason["details"] = {}) {
    super(code);
    this.reason = reason(code, details);
  }
}

/** Trying again the same way may help. Counted; after the last try a person is asked. */
export class Retryable extends WithReason {
  override name = "Retryable";
}

/** Asked in the settling transaction: true when the cause of the stop is gone by then. */
export type Unless = (trx: Trx) => Promise<boolean>;

/**
 * Only a person can help. Pass `unless` where news wakes stopped tasks: news between the failed look and the stop would
 * find nothing to wake.
 */
export class Permanent extends WithReason {
  override name = "Permanent";
  readonly unless: Unless | undefined;
  constructor(code: ReasonCode, details: Reason["details"] = {}, unless?: Unless) {
    super(code, details);
    this.unless = unless;
  }
}

/** No failure: the task goes back to PENDING until `until`, uncounted. */
export class Wait extends WithReason {
  override name = "Wait";
  readonly until: Date;
  constructor(until: Date, code: ReasonCode, details: Reason["details"] = {}) {
    super(code, details);
    this.until = until;
  }
}
