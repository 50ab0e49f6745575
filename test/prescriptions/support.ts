import type { FhirWords, Prescription } from "../../src/shared/vendors/health.ts";
import { recordedDate } from "../../src/shared/vendors/medplum/dates.ts";
import { RXNORM } from "../../src/shared/prescriptions/by-product.ts";

type DateField = "writtenOn" | "validFrom" | "validUntil" | "lastDispensedOn";

/** A prescription in which dates are written as FHIR has them. */
export type Written =
  & Omit<Prescription, DateField | "fhir">
  & Record<DateField, string | null>
  & FhirWords;

const USUAL: Written = {
  id: "rx1",
  patientId: "pat1",
  status: "active",
  intent: "order",
  codes: [{ system: RXNORM, code: "1" }],
  writtenOn: "2026-01-01",
  doNotPerform: false,
  validFrom: "2026-01-01",
  validUntil: "2027-01-01",
  fillsAllowed: 12,
  fillsDispensed: 2,
  lastDispensedOn: "2026-02-10",
  daysSupply: 30,
};

/** One that can be filled ten times more, from 2026 to the first day of 2027, but for what is written otherwise. */
export function prescription(changes: Partial<Written> = {}): Prescription {
  const { status, intent, doNotPerform, ...written } = { ...USUAL, ...changes };
  return {
    ...written,
    fhir: { status, intent, doNotPerform },
    writtenOn: recordedDate(written.writtenOn),
    validFrom: recordedDate(written.validFrom),
    validUntil: recordedDate(written.validUntil),
    lastDispensedOn: recordedDate(written.lastDispensedOn),
  };
}
