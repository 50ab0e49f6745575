import { endOfDay, startOfDay } from "../day.ts";
import type { RecordedDate } from "../vendors/health.ts";

/**
 * The last instant of a date on record: of a day, its end in the zone. Null for an unreadable date, and for a month or a
 * year, which name no day. Null is never "for ever".
 */
export function endOf(date: RecordedDate | null, timeZone: string): Date | null {
  if (date?.kind === "instant") return date.at;
  return date?.kind === "days" && date.first === date.last ? endOfDay(date.last, timeZone) : null;
}

/** The first instant of a date on record, in the zone. Null where it cannot be read. */
export function startOf(date: RecordedDate | null, timeZone: string): Date | null {
  if (date?.kind === "instant") return date.at;
  return date?.kind === "days" ? startOfDay(date.first, timeZone) : null;
}
