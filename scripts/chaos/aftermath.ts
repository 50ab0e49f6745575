import type { Check } from "../proof/check.ts";
import { checksOf } from "../proof/checks.ts";
import { gather } from "../proof/evidence.ts";
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

/** The checks when the work is done. */
export async function examine(stack: Stack, { people }: Crowd, mail: Mail): Promise<Check[]> {
  return checksOf(await gather(stack, { mail, people }));
}
