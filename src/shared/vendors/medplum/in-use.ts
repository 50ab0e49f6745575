import { firstInstant, parseFhirDateTime } from "../fhir-dates.ts";
import type { MedicationRequest } from "./fhir.ts";

const DAY_MS = 86_400_000;

/** A last day lasts one day, and zones differ by another. */
const SURELY_OVER_MS = 3 * DAY_MS;

/** A prescription can be entered some time after its first fill was handed over by its word. */
const ENTERED_LATE_MS = 31 * DAY_MS;

/** False for a prescription that nothing can be filled under any more: cancelled, or surely over. */
export function isInUse({ status, dispenseRequest }: MedicationRequest, now: Date): boolean {
  if (status !== "active" && status !== "completed") return false;
  const end = parseFhirDateTime(dispenseRequest?.validityPeriod?.end ?? "");
  // A year or a month does not say which day.
  if (!end || (end.day === null && !end.instant)) return true;
  return now.getTime() - firstInstant(end) < SURELY_OVER_MS;
}

/** No fill of these can have been put on record before; null where one of them does not say when it began. */
export function earliestFill(requests: readonly MedicationRequest[]): Date | null {
  const begun = requests.map(({ authoredOn, dispenseRequest }) => {
    const times = [instantOf(authoredOn), instantOf(dispenseRequest?.validityPeriod?.start)]
      .filter((time) => time !== null);
    return times.length > 0 ? Math.min(...times) : null;
  });
  const times = begun.filter((time) => time !== null);
  return times.length > 0 && times.length === begun.length
    ? new Date(Math.min(...times) - ENTERED_LATE_MS)
    : null;
}

function instantOf(text: string | null | undefined): number | null {
  const parsed = text ? parseFhirDateTime(text) : null;
  return parsed ? firstInstant(parsed) : null;
}
