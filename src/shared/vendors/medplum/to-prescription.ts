import type { Prescription } from "../health.ts";
import { recordedDate } from "./dates.ts";
import { type AnyRequest, codesOf } from "./fhir.ts";
import { type FillCount, mayBeOf, NO_FILLS } from "./fills.ts";

/**
 * A MedicationRequest in our words. FHIR counts repeats, which leave out the first fill, and has no field for
 * the fills that remain: they are counted from the completed dispenses. An unreadable one has no fills to count.
 * @param fills null: they were not counted
 */
export function toPrescription(request: AnyRequest, fills: FillCount | null): Prescription {
  const { id, subject, status, intent, doNotPerform, dispenseRequest } = request;
  const fhir = status === undefined || intent === undefined
    ? null
    : { status, intent, doNotPerform: doNotPerform === true };
  const counted = fhir && fills;
  const repeats = dispenseRequest?.numberOfRepeatsAllowed;
  const { count, lastOn, uncertain } = counted?.of.get(id) ?? NO_FILLS;
  const uncertainFills = uncertain +
    (counted?.strays.filter((stray) => mayBeOf(stray, request)).length ?? 0);
  return {
    id,
    patientId: subject,
    fhir,
    codes: codesOf(request.medicationCodeableConcept),
    writtenOn: recordedDate(request.authoredOn),
    validFrom: recordedDate(dispenseRequest?.validityPeriod?.start),
    validUntil: recordedDate(dispenseRequest?.validityPeriod?.end),
    fillsAllowed: isCount(repeats) ? 1 + repeats : null,
    fillsDispensed: counted && count,
    ...(uncertainFills > 0 ? { uncertainFills } : {}),
    lastDispensedOn: recordedDate(lastOn),
    daysSupply: inDays(dispenseRequest?.expectedSupplyDuration),
  };
}

/** UCUM codes. Months have no fixed length. */
const DAYS: Readonly<Record<string, number>> = { d: 1, wk: 7 };

/** A longer supply is a slip of the pen. */
const LONGEST_SUPPLY_DAYS = 1000;

/** Null for a fraction of a day, too: nothing can be planned with it. */
function inDays(
  duration: NonNullable<AnyRequest["dispenseRequest"]>["expectedSupplyDuration"],
): number | null {
  const days = (duration?.value ?? 0) * (DAYS[duration?.code ?? ""] ?? 0);
  return isCount(days) && days > 0 && days <= LONGEST_SUPPLY_DAYS ? days : null;
}

function isCount(value: number | null | undefined): value is number {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}
