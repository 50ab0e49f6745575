import type { Check } from "./check.ts";
import { checkCrm } from "./crm.ts";
import type { Evidence } from "./evidence.ts";
import { checkLeaks, checkTasks, checkWebhooks } from "./machinery.ts";
import { checkShipping, checkTracker } from "./orders.ts";

/** The checks of every run: the vendors' own state against Clockwork's tables. */
export function checksOf(evidence: Evidence): Check[] {
  return [
    ...checkShipping(evidence),
    checkTracker(evidence),
    checkWebhooks(evidence),
    checkTasks(evidence),
    ...checkCrm(evidence),
    checkLeaks(evidence),
  ];
}
