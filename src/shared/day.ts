/**
 * Days. A day belongs to a zone, mostly the pharmacy's: an instant has a day only in a named zone.
 * Zones are IANA names; one that Intl does not know throws RangeError.
 */

export const DAY_MS = 86_400_000;

/** A day of the calendar, `YYYY-MM-DD`. Days compare as text. */
export type Day = `${number}-${number}-${number}`;

/** True for a day in full that is in the calendar. */
export function isDay(text: string): text is Day {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : NaN;
  return !Number.isNaN(at) && at >= FIRST_DAY && utcDate(at) === text;
}

/** FHIR's years begin with 1. */
const FIRST_DAY = Date.parse("0001-01-01");

/** The day that the calendar of the zone shows at an instant. */
export function dayIn(at: Date, timeZone: string): Day {
  const day = utcDate(wallClock(timeZone)(at.getTime()));
  if (!isDay(day)) throw new RangeError(`no day of the calendar: ${day}`);
  return day;
}

export function startOfDay(day: Day, timeZone: string): Date {
  return new Date(endBefore(Date.parse(day), timeZone) + 1);
}

/** The last millisecond of the day. */
export function endOfDay(day: Day, timeZone: string): Date {
  return new Date(endBefore(Date.parse(day) + DAY_MS, timeZone));
}

/**
 * `days` later by the calendar, at the same time of the day, also when the clock changes in between. Of two such moments
 * the former. Where the clock leaps over that time, as much later as the leap.
 */
export function addDays(at: Date, days: number, timeZone: string): Date {
  const clock = wallClock(timeZone);
  const wall = clock(at.getTime()) + days * DAY_MS;
  const moments = momentsAt(wall, clock);
  const exact = moments.filter((moment) => clock(moment) === wall);
  return new Date(exact.length > 0 ? Math.min(...exact) : Math.max(...moments));
}

/** Moments that may show `wall`: the clock may change that day, so both the day before's and after's offset count. */
function momentsAt(wall: number, clock: (at: number) => number): number[] {
  return [wall - DAY_MS, wall + DAY_MS].map((at) => wall - (clock(at) - at));
}

/** A night's run asks for the same few hundred days again and again, and each costs four readings of a calendar. */
const ends = new Map<string, number>();
const ENDS_REMEMBERED = 5000;

/** The last millisecond before midnight (as if in UTC): the latest instant that still belongs to the day before. */
function endBefore(midnight: number, timeZone: string): number {
  const key = `${midnight} ${timeZone}`;
  const known = ends.get(key);
  if (known !== undefined) return known;
  const clock = wallClock(timeZone);
  const end = Math.max(
    ...momentsAt(midnight, clock).map((at) => at - 1).filter((at) => clock(at) < midnight),
  );
  if (ends.size >= ENDS_REMEMBERED) ends.clear();
  ends.set(key, end);
  return end;
}

/** Making a format costs more than a hundred uses of it, and the zone is one setting. */
const wallClocks = new Map<string, (at: number) => number>();

/** The zone's local time at an instant, as if it were UTC, in milliseconds. */
function wallClock(timeZone: string): (at: number) => number {
  const known = wallClocks.get(timeZone);
  if (known) return known;
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
  const clock = (at: number) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
    const seconds = (part("hour") * 60 + part("minute")) * 60 + part("second");
    const milliseconds = ((at % 1000) + 1000) % 1000;
    return utc(part("year"), part("month"), part("day")) + seconds * 1000 + milliseconds;
  };
  wallClocks.set(timeZone, clock);
  return clock;
}

/** `Date.UTC` reads years below 100 as 19xx; month is 1 to 12 and may overflow, as may the day. */
export function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

/** The only cut of a date in UTC. Every other file asks {@link dayIn}. */
function utcDate(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
