import type { Check } from "../proof/check.ts";
import { checkCrm } from "../proof/crm.ts";
import type { Evidence } from "../proof/evidence.ts";
import { checkHold, checkLeaks, checkTasks, checkWebhooks } from "../proof/machinery.ts";
import { checkShipping, checkTracker } from "../proof/orders.ts";
import { checkStarts } from "../proof/starts.ts";

/** The demo's checks when its story is over. */
export function runChecks(evidence: Evidence): Check[] {
  return [
    ...checkShipping(evidence),
    checkTracker(evidence),
    checkStarts(evidence),
    checkWebhooks(evidence),
    checkTasks(evidence),
    ...checkCrm(evidence),
    checkHold(evidence),
    checkLeaks(evidence),
  ];
}
