import { type Check, checkLeaks, checkTasks, checkWebhooks } from "../demo/checks.ts";
import { checkCrm } from "../demo/check-crm.ts";
import { checkShipping, checkTracker } from "../demo/check-orders.ts";
import { type Evidence, findLeaks, readOrders, readTasks } from "../demo/evidence.ts";
import { makeLife } from "../demo/life.ts";
import type { Mail } from "../demo/mail.ts";
import { MEDICAL_CANARIES } from "../sandbox/clinic.ts";
import type { Stack } from "../stack/stack.ts";
import type { Crowd } from "./crowd.ts";
import { disturbMail } from "./storms.ts";

/** Works off what the storms left, with the clock moved so that leases, pauses and backoffs run out. */
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
export async function examine(stack: Stack, crowd: Crowd, mail: Mail): Promise<Check[]> {
  const evidence: Evidence = {
    now: stack.clock.now(),
    vendors: stack.vendors,
    mail,
    people: crowd.people,
    beginners: [],
    endedByPharmacy: new Set(),
    decisions: new Map(),
    tasks: await readTasks(stack.pool),
    orders: await readOrders(stack.pool),
    pause: { seen: null, unwell: [] },
    functionLines: stack.functionLog.lines,
    ...(await findLeaks(stack.pool, MEDICAL_CANARIES)),
  };
  return [
    ...checkShipping(evidence),
    checkTracker(evidence),
    checkWebhooks(evidence),
    checkTasks(evidence),
    ...checkCrm(evidence),
    checkLeaks(evidence),
  ];
}
