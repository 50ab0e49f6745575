import { readLimits } from "../prescriptions/limits.ts";
import type { Look } from "./look.ts";

/**
 * True when a prescription renewed the refill: another one, or one of those that got fills or time. The refill is then
 * covered longer than under the limits of its opening. Both are played against the present demand, so a date that an
 * early refill, a pause or a late parcel moved renews nothing.
 * @param openedUnder the renewal's `opened_under`
 */
export function isRenewed(look: Look, openedUnder: unknown, now: Date): boolean {
  // A refill that is due at once is not covered: a renewal that closes here would open again, and ask once more.
  if (look.coverage?.kind !== "covered" || look.dueOn === null || look.dueOn <= now) return false;
  const then = look.dueUnder(readLimits(openedUnder));
  return then === null || look.dueOn > then;
}
