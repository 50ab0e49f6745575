import { DAY_MS } from "../../day.ts";
import { firstInstant, recordedDate } from "./dates.ts";
import type { AnyRequest } from "./fhir.ts";

/** A last day lasts one day, and zones differ by another. */
const SURELY_OVER_MS = 3 * DAY_MS;

/** A prescription can be entered some time after the day on which its first fill says it was handed over. */
const ENTERED_LATE_MS = 31 * DAY_MS;

/** False for a prescription under which nothing can be filled: cancelled, surely over, or unreadable. */
export function isInUse({ status, dispenseRequest }: AnyRequest, now: Date): boolean {
  if (status !== "active" && status !== "completed") return false;
  const text = dispenseRequest?.validityPeriod?.end;
  const end = recordedDate(text);
  // A year or a month does not name a day.
  if (end?.kind === "days" && end.first !== end.last) return true;
  return now.getTime() - (firstInstant(text) ?? Infinity) < SURELY_OVER_MS;
}

/** The earliest time of a record of a fill of these. Null where one of them does not say when it began. */
export function earliestFill(requests: readonly AnyRequest[]): Date | null {
  const begun = requests.map(({ authoredOn, dispenseRequest }) =>
    Math.min(
      firstInstant(authoredOn) ?? Infinity,
      firstInstant(dispenseRequest?.validityPeriod?.start) ?? Infinity,
    )
  );
  return Number.isFinite(Math.max(...begun)) ? new Date(Math.min(...begun) - ENTERED_LATE_MS) : null;
}
