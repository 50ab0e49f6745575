/**
 * FHIR dateTimes (R4, datatypes): `2026`, `2026-03`, `2026-03-08` or a time with an offset. All strings may
 * come with less precision than one would like, and none of the short forms names a zone.
 */

const PATTERN =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d))?)?)?$/;

const DAY_MS = 86_400_000;

/** `day` and the rest are null where the text is less precise; `instant` only when a time is given. */
export interface FhirDateTime {
  year: number;
  /** 1 to 12. */
  month: number | null;
  day: number | null;
  instant: Date | null;
}

/** Null for text that is not a FHIR dateTime, or names a day that is not in the calendar. */
export function parseFhirDateTime(text: string): FhirDateTime | null {
  const match = PATTERN.exec(text);
  if (!match) return null;
  const [, year = "", month, day, time] = match;
  const parsed = {
    year: Number(year),
    month: month === undefined ? null : Number(month),
    day: day === undefined ? null : Number(day),
    instant: time === undefined ? null : new Date(text),
  };
  if (parsed.year === 0 || !inCalendar(parsed.year, parsed.month ?? 1, parsed.day ?? 1)) return null;
  if (parsed.instant && Number.isNaN(parsed.instant.getTime())) return null;
  return parsed;
}

/** Whether `at` lies in a FHIR Period. Both ends belong to it; days count in UTC. Unclear text is outside. */
export function periodContains(
  period: { start?: string | null | undefined; end?: string | null | undefined } | null | undefined,
  at: Date,
): boolean {
  if (period?.start) {
    const start = parseFhirDateTime(period.start);
    if (!start || firstInstant(start) > at.getTime()) return false;
  }
  if (period?.end) {
    const end = parseFhirDateTime(period.end);
    if (!end || at.getTime() > lastInstant(end)) return false;
  }
  return true;
}

/** When the text begins, in milliseconds, days in UTC: something to sort by. */
export function firstInstant({ year, month, day, instant }: FhirDateTime): number {
  return instant?.getTime() ?? utc(year, month ?? 1, day ?? 1);
}

function lastInstant({ year, month, day, instant }: FhirDateTime): number {
  if (instant) return instant.getTime();
  if (month === null) return utc(year + 1, 1, 1) - 1;
  return (day === null ? utc(year, month + 1, 1) : utc(year, month, day + 1)) - 1;
}

/**
 * The last instant at which the prescription may be filled, from {@link Prescription.validUntil}.
 * A date means the end of that day in the pharmacy's zone (IANA name; an unknown one throws RangeError), a time
 * with its offset means itself. A year or a month does not say which day: null, as for text that is no FHIR
 * dateTime. Null is never "valid for ever".
 */
export function endOfValidity(validUntil: string, timeZone: string): Date | null {
  const parsed = parseFhirDateTime(validUntil);
  if (!parsed) return null;
  if (parsed.instant) return parsed.instant;
  if (parsed.month === null || parsed.day === null) return null;
  return endOfDay(parsed.year, parsed.month, parsed.day, timeZone);
}

/**
 * The first instant at which the prescription may be filled, from {@link Prescription.validFrom}: days begin at
 * midnight in the pharmacy's zone; a month or a year begins with its first day. Null for text that is no FHIR dateTime.
 */
export function startOfValidity(validFrom: string, timeZone: string): Date | null {
  const parsed = parseFhirDateTime(validFrom);
  if (!parsed) return null;
  if (parsed.instant) return parsed.instant;
  return new Date(endOfDay(parsed.year, parsed.month ?? 1, (parsed.day ?? 1) - 1, timeZone).getTime() + 1);
}

/**
 * The last millisecond of a calendar day in a zone (IANA name; a name that Intl does not know throws RangeError).
 * The clock may change that night, so the offsets of the day before and after are both tried, and the latest
 * instant that still belongs to the day is taken.
 */
export function endOfDay(year: number, month: number, day: number, timeZone: string): Date {
  const midnight = utc(year, month, day + 1);
  const key = `${midnight} ${timeZone}`;
  const known = endsOfDays.get(key);
  if (known !== undefined) return new Date(known);
  const end = findEndOfDay(midnight, timeZone);
  if (endsOfDays.size >= DAYS_REMEMBERED) endsOfDays.clear();
  endsOfDays.set(key, end.getTime());
  return end;
}

/** A night's run asks for the same few hundred days again and again, and each costs four looks at a calendar. */
const endsOfDays = new Map<string, number>();
const DAYS_REMEMBERED = 5000;

function findEndOfDay(midnight: number, timeZone: string): Date {
  const clock = wallClock(timeZone);
  const ends = [midnight - DAY_MS, midnight + DAY_MS]
    .map((at) => midnight - (clock(at) - at) - 1)
    .filter((end) => clock(end) < midnight);
  return new Date(Math.max(...ends));
}

/** Making a format costs more than a hundred uses of it, and the zone is one setting. */
const wallClocks = new Map<string, (at: number) => number>();

/** What the clock on the wall shows at an instant, as if it were UTC, in milliseconds. */
function wallClock(timeZone: string): (at: number) => number {
  const known = wallClocks.get(timeZone);
  if (known) return known;
  const clock = makeWallClock(timeZone);
  wallClocks.set(timeZone, clock);
  return clock;
}

function makeWallClock(timeZone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
    const seconds = (part("hour") * 60 + part("minute")) * 60 + part("second");
    const milliseconds = ((at % 1000) + 1000) % 1000;
    return utc(part("year"), part("month"), part("day")) + seconds * 1000 + milliseconds;
  };
}

function inCalendar(year: number, month: number, day: number): boolean {
  const date = new Date(utc(year, month, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** `Date.UTC` reads years below 100 as 19xx; month is 1 to 12 and may overflow, as may the day. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day);
}
