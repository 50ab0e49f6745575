import { addDays, dayIn } from "../day.ts";
import type { Look } from "./look.ts";
import type { Renewal } from "./renewals.ts";

/** What is to be done about an open renewal, now that its owners were asked. */
export type Decision =
  /** It is over. */
  | { kind: "close"; state: "RENEWED" | "CANCELLED"; because: string }
  /** The customer paused, or nobody can tell whether: nothing is sent, nothing lapses. */
  | { kind: "hold"; nextOn: Date }
  /** Due and not renewed. */
  | { kind: "lapse"; dates: Dates; nextOn: Date }
  /** Its day has not come, or the customer is (to be) asked. */
  | { kind: "go on"; dates: Dates; tell: "renewal_due" | "renewal_reminder" | null; nextOn: Date };

export interface Dates {
  dueOn: Date;
  startOn: Date;
}

/** What a renewal is decided by, besides the look. */
type Standing = Pick<
  Renewal,
  | "state"
  | "product_id"
  | "prescription_id"
  | "due_on"
  | "start_on"
  | "contacted_at"
  | "reminders"
>;

/**
 * A refill that is well again for less than this is not closed and reopened: dates move by days with every late
 * parcel, and each reopening would be a campaign.
 */
const CLOSES_DAYS_BEFORE_START = 14;

/** How soon something that waits for a person or the customer is looked at again. */
const LOOK_AGAIN_DAYS = 1;

/**
 * @param look the renewal's own item, or undefined when Stripe no longer has it
 * @param timeZone the pharmacy's
 */
export function decide(
  renewal: Standing,
  look: Look | undefined,
  remindDaysBefore: readonly number[],
  now: Date,
  timeZone: string,
): Decision {
  const tomorrow = addDays(now, LOOK_AGAIN_DAYS, timeZone);
  if (!look || look.finding === "INACTIVE" || look.finding === "ENDING") {
    return { kind: "close", state: "CANCELLED", because: "the customer ended the subscription" };
  }
  if (look.productId !== null && look.productId !== renewal.product_id) {
    return { kind: "close", state: "CANCELLED", because: "the subscription is for another product" };
  }
  // A status nobody has heard of may be one more kind of pause; a person is asked about it.
  if (look.finding === "PAUSED" || look.finding === "UNKNOWN_STATUS") {
    return { kind: "hold", nextOn: tomorrow };
  }
  const closed = closing(renewal, look, now, timeZone);
  if (closed) return closed;
  const dates = datesOf(renewal, look, timeZone);
  if (dates.dueOn <= now || renewal.state === "LAPSED") return { kind: "lapse", dates, nextOn: tomorrow };
  if (dates.startOn > now && !renewal.contacted_at) {
    return { kind: "go on", dates, tell: null, nextOn: dates.startOn };
  }
  if (!renewal.contacted_at) {
    return { kind: "go on", dates, tell: "renewal_due", nextOn: earlier(tomorrow, dates.dueOn) };
  }
  const reminders = reminderDays(dates.dueOn, remindDaysBefore, timeZone);
  // A reminder whose day was past when the customer was asked says nothing new.
  const asked = renewal.contacted_at;
  const toSend = reminders.filter((day) => day > asked);
  const next = toSend[renewal.reminders];
  if (next && next <= now) {
    return { kind: "go on", dates, tell: "renewal_reminder", nextOn: earlier(tomorrow, dates.dueOn) };
  }
  return { kind: "go on", dates, tell: null, nextOn: earlier(next ?? dates.dueOn, dates.dueOn) };
}

/** In order and each once, whatever people put into the settings. */
function reminderDays(dueOn: Date, daysBefore: readonly number[], timeZone: string): Date[] {
  const days = daysBefore.filter((day) => Number.isInteger(day) && day > 0);
  return [...new Set(days)].toSorted((a, b) => b - a).map((day) => addDays(dueOn, -day, timeZone));
}

function closing(renewal: Standing, look: Look, now: Date, timeZone: string): Decision | undefined {
  const { coverage } = look;
  if (coverage?.kind !== "covered" || !look.dueOn || !look.startOn) return undefined;
  const until = dayIn(look.dueOn, timeZone);
  // What is due at once covers nothing: closed as renewed, it would be opened, and asked for, once more.
  if (look.dueOn <= now) return undefined;
  if (look.prescriptionId !== renewal.prescription_id && look.dueOn > renewal.due_on) {
    return { kind: "close", state: "RENEWED", because: `a new prescription covers it until ${until}` };
  }
  // Fills or time were added to what had lapsed: it can ship again, so it is billed again, and asked for anew.
  if (
    renewal.state === "LAPSED" && look.coversNextCharge && look.dueOn > addDays(renewal.due_on, 1, timeZone)
  ) {
    return { kind: "close", state: "RENEWED", because: `the prescription covers it until ${until} again` };
  }
  if (look.startOn <= addDays(now, CLOSES_DAYS_BEFORE_START, timeZone)) return undefined;
  // The same prescription, but later: fills or time were added to it, or a pause moved what is asked of it.
  if (renewal.state === "SCHEDULED") return undefined;
  return { kind: "close", state: "RENEWED", because: `the prescription covers it until ${until} again` };
}

/** The dates as they are now; what cannot be told stays as it was. */
function datesOf(renewal: Standing, look: Look, timeZone: string): Dates {
  const dueOn = look.dueOn ?? renewal.due_on;
  const startOn = look.startOn ?? renewal.start_on;
  // What was asked for ahead of its time (Stripe is about to charge) is not put off by dates that hardly move.
  const isAhead = renewal.contacted_at !== null ||
    dueOn <= addDays(renewal.due_on, CLOSES_DAYS_BEFORE_START, timeZone);
  return { dueOn, startOn: earlier(isAhead ? earlier(renewal.start_on, startOn) : startOn, dueOn) };
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}
