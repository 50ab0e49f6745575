import type { Reason } from "./reasons.ts";
import type { Outcome } from "./step.ts";

/** Not a failure: the work of a step ends here, and `outcome` says what becomes of the task. */
export class Halt extends Error {
  override name = "Halt";
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

/** The customer is not to be told after all; `why` ends the task. */
export class Withheld extends Error {
  override name = "Withheld";
  readonly why: Reason;
  constructor(why: Reason) {
    super(why.code);
    this.why = why;
  }
}
