import { DAY_MS } from "../../day.ts";
import { firstInstant, recordedDate } from "./dates.ts";
import type { MedicationRequest } from "./fhir.ts";

/** A last day lasts one day, and zones differ by another. */
const SURELY_OVER_MS = 3 * DAY_MS;

/** A prescription can be entered some time after its first fill was handed over by its word. */
const ENTERED_LATE_MS = 31 * DAY_MS;

/** False for a prescription that nothing can be filled under any more: cancelled, or surely over. */
export function isInUse({ status, dispenseRequest }: MedicationRequest, now: Date): boolean {
  if (status !== "active" && status !== "completed") return false;
  const text = dispenseRequest?.validityPeriod?.end;
  const end = recordedDate(text);
  // A year or a month does not say which day.
  if (end?.kind === "days" && end.first !== end.last) return true;
  return now.getTime() - (firstInstant(text) ?? Infinity) < SURELY_OVER_MS;
}

/** No fill of these can have been put on record before; null where one of them does not say when it began. */
export function earliestFill(requests: readonly MedicationRequest[]): Date | null {
  const begun = requests.map(({ authoredOn, dispenseRequest }) => {
    const times = [firstInstant(authoredOn), firstInstant(dispenseRequest?.validityPeriod?.start)]
      .filter((time) => time !== null);
    return times.length > 0 ? Math.min(...times) : null;
  });
  const times = begun.filter((time) => time !== null);
  return times.length > 0 && times.length === begun.length
    ? new Date(Math.min(...times) - ENTERED_LATE_MS)
    : null;
}
