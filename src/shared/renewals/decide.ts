import { addDays, dayIn } from "../day.ts";
import type { Look } from "./look.ts";
import { isRenewed } from "./renewed.ts";
import type { Renewal } from "./renewals.ts";

/** The next act for an open renewal. `nextOn`: the day on which the renewal is looked at again. */
export type Decision =
  | { kind: "close"; state: "RENEWED" | "CANCELLED"; because: string }
  /** The customer paused, or the status is unknown: nothing is sent, nothing lapses. */
  | { kind: "put off"; nextOn: Date }
  /** Due and not renewed. */
  | { kind: "lapse"; dates: Dates; nextOn: Date }
  /** Not due yet, or no longer; `tell` is the fact that the CRM is told now. */
  | { kind: "go on"; dates: Dates; tell: "renewal_due" | "renewal_reminder" | null; nextOn: Date };

interface Dates {
  dueOn: Date;
  startOn: Date;
  /** Reminders of a former due day. */
  remindersBefore: number;
}

/** The columns of a renewal on which the decision rests. */
type Progress =
  & Pick<Renewal, "state" | "product_id" | "opened_under" | "due_on" | "start_on">
  & Pick<Renewal, "contacted_at" | "reminders" | "reminders_before">;

/** Dates move by days with every late parcel. A due day that is put off by more is another one, with its own reminders. */
const SAME_DUE_DAY_DAYS = 14;

/** Days until a renewal that waits for a person or the customer is looked at again. */
const LOOK_AGAIN_DAYS = 1;

/**
 * A renewal ends by a prescription, by its subscription, or by a person. Dates that move keep it open.
 * @param look the renewal's own item, or undefined when Stripe no longer has it
 * @param remindDaysBefore days before the due day, from `clockwork.settings`
 * @param timeZone the pharmacy's
 */
export function decide(
  renewal: Progress,
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
  // An unknown status may be one more kind of pause; `renewal.check` asks a person about it.
  if (look.finding === "PAUSED" || look.finding === "UNKNOWN_STATUS") {
    return { kind: "put off", nextOn: tomorrow };
  }
  const dates = datesOf(renewal, look, timeZone);
  if (isRenewed(look, renewal.opened_under, now)) {
    const because = `a prescription covers it until ${dayIn(dates.dueOn, timeZone)}`;
    return { kind: "close", state: "RENEWED", because };
  }
  // A fill came back, or another refill of the product ended: the old prescription can ship once more.
  const isLapseOver = look.coverage?.kind === "covered" && look.coversNextCharge;
  if (dates.dueOn <= now || (renewal.state === "LAPSED" && !isLapseOver)) {
    return { kind: "lapse", dates, nextOn: tomorrow };
  }
  const asked = renewal.contacted_at;
  if (!asked && dates.startOn > now) return { kind: "go on", dates, tell: null, nextOn: dates.startOn };
  if (!asked) return { kind: "go on", dates, tell: "renewal_due", nextOn: earlier(tomorrow, dates.dueOn) };
  // A reminder for a day before the first mail is left out.
  const reminders = reminderDays(dates.dueOn, remindDaysBefore, timeZone).filter((day) => day > asked);
  const next = reminders[renewal.reminders - dates.remindersBefore];
  if (next && next <= now) {
    return { kind: "go on", dates, tell: "renewal_reminder", nextOn: earlier(tomorrow, dates.dueOn) };
  }
  return { kind: "go on", dates, tell: null, nextOn: earlier(next ?? dates.dueOn, dates.dueOn) };
}

/** In order and each once: a person may have written anything into the settings. */
function reminderDays(dueOn: Date, daysBefore: readonly number[], timeZone: string): Date[] {
  const days = daysBefore.filter((day) => Number.isInteger(day) && day > 0);
  return [...new Set(days)].toSorted((a, b) => b - a).map((day) => addDays(dueOn, -day, timeZone));
}

/** The present dates; an unknown one stays as it was. */
function datesOf(renewal: Progress, look: Look, timeZone: string): Dates {
  const dueOn = look.dueOn ?? renewal.due_on;
  const startOn = look.startOn ?? renewal.start_on;
  const isPutOff = dueOn > addDays(renewal.due_on, SAME_DUE_DAY_DAYS, timeZone);
  // A campaign that began early (Stripe is about to charge) is not put off by dates that hardly move.
  const isAhead = renewal.contacted_at !== null || !isPutOff;
  return {
    dueOn,
    startOn: earlier(isAhead ? earlier(renewal.start_on, startOn) : startOn, dueOn),
    remindersBefore: isPutOff ? renewal.reminders : renewal.reminders_before,
  };
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}
