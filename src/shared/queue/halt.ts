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
