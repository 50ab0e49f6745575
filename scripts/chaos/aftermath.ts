import type { Check } from "../proof/check.ts";
import { checkCrm } from "../proof/crm.ts";
import { gather } from "../proof/evidence.ts";
import { checkLeaks, checkTasks, checkWebhooks } from "../proof/machinery.ts";
import { checkShipping, checkTracker } from "../proof/orders.ts";
import type { Mail } from "../sandbox/mail.ts";
import { makeLife } from "../stack/life.ts";
import type { Stack } from "../stack/stack.ts";
import type { Crowd } from "./crowd.ts";
import { disturbMail } from "./storms.ts";

/** Works off the storms' remains. The clock moves, so that leases, holds and backoffs run out. */
export async function workOff(stack: Stack, crowd: Crowd, progress: (line: string) => void): Promise<void> {
  const life = makeLife({ stack, progress });
  await life.work();
  crowd.changeMinds();
  await life.rest({ minutes: 120 });
  disturbMail(stack, false);
  progress("all is calm: parcels move");
  for (let moved = crowd.workPharmacy(); moved > 0; moved = crowd.workPharmacy()) {
    await life.work();
    await life.rest({ minutes: 20 });
  }
  await life.pass({ hours: 8 });
  await life.rest({ minutes: 180 });
}

/** The demo's checks: the vendors' own state against Clockwork's tables. */
export async function examine(stack: Stack, { people }: Crowd, mail: Mail): Promise<Check[]> {
  const evidence = await gather(stack, { mail, people });
  return [
    ...checkShipping(evidence),
    checkTracker(evidence),
    checkWebhooks(evidence),
    checkTasks(evidence),
    ...checkCrm(evidence),
    checkLeaks(evidence),
  ];
}
