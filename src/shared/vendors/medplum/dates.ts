import { dayIn, endOfDay, isDay, startOfDay, utc } from "../../day.ts";
import type { RecordedDate } from "../health.ts";
import type { Period } from "./fhir.ts";

/**
 * FHIR dateTimes (R4, datatypes): `2026`, `2026-03`, `2026-03-08` or a time with an offset. Every element may come
 * with less precision than one would like, and none of the short forms names a zone.
 */
const PATTERN =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d))?)?)?$/;

/** Unreadable: no FHIR dateTime, or a day that is not in the calendar. */
export function parseFhirDateTime(text: string): RecordedDate {
  const [, year, month, day, time] = PATTERN.exec(text) ?? [];
  const first = `${year}-${month ?? "01"}-${day ?? "01"}`;
  if (!isDay(first)) return { kind: "unreadable" };
  if (time !== undefined) return { kind: "instant", at: new Date(text) };
  const last = new Date(utc(Number(year), Number(month ?? 12) + 1, 0));
  return { kind: "days", first, last: day === undefined ? dayIn(last, "UTC") : first };
}

/** As {@link parseFhirDateTime}; null where nothing is written. */
export function recordedDate(text: string | null | undefined): RecordedDate | null {
  return text === null || text === undefined ? null : parseFhirDateTime(text);
}

/** When the text begins, in milliseconds, days in UTC: a value to sort by. Null where it cannot be read. */
export function firstInstant(text: string | null | undefined): number | null {
  const date = recordedDate(text);
  if (date?.kind === "instant") return date.at.getTime();
  return date?.kind === "days" ? Date.parse(date.first) : null;
}

/** True when `at` lies in a FHIR Period. Both ends belong to it; days are the zone's. Unclear text is outside. */
export function periodContains(period: Period, at: Date, timeZone: string): boolean {
  const { start, end } = period ?? {};
  const from = start ? spanOf(start, timeZone).from : -Infinity;
  const until = end ? spanOf(end, timeZone).until : Infinity;
  return from <= at.getTime() && at.getTime() <= until;
}

/** The first and the last millisecond of a dateTime. Unreadable text spans nothing. */
function spanOf(text: string, timeZone: string): { from: number; until: number } {
  const date = parseFhirDateTime(text);
  if (date.kind === "unreadable") return { from: Infinity, until: -Infinity };
  if (date.kind === "instant") return { from: date.at.getTime(), until: date.at.getTime() };
  return {
    from: startOfDay(date.first, timeZone).getTime(),
    until: endOfDay(date.last, timeZone).getTime(),
  };
}
