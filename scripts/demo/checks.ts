import type { Check } from "../proof/check.ts";
import { checksOf } from "../proof/checks.ts";
import type { Evidence } from "../proof/evidence.ts";
import { checkHold } from "../proof/machinery.ts";
import { checkStarts } from "../proof/starts.ts";

/** The demo's checks when its story is over. */
export function runChecks(evidence: Evidence): Check[] {
  return [...checksOf(evidence), checkStarts(evidence), checkHold(evidence)];
}
