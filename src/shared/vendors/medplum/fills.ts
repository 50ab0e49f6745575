import { firstInstant } from "./dates.ts";
import { type AnyRequest, codesOf, type MedicationDispense, patientIdOf, referencedId } from "./fhir.ts";

/** The dispenses of one prescription. */
interface Fills {
  /** Completed ones. */
  count: number;
  /** FHIR dateTime of the latest completed one. */
  lastOn: string | null;
  /** Those in a state that does not say whether a fill was used. */
  uncertain: number;
}

/** A dispense that names no prescription, although it used a fill of one. */
interface Stray {
  patientId: string;
  /** Empty: it does not name the drug. */
  codes: { system: string; code: string }[];
  /** FHIR dateTime. */
  on: string | null;
}

/** The fills that dispenses used. */
export interface FillCount {
  /** By prescription. */
  of: ReadonlyMap<string, Fills>;
  strays: readonly Stray[];
}

export const NO_FILLS: Fills = { count: 0, lastOn: null, uncertain: 0 };

/** FHIR's states of a dispense in which no fill was used (yet). In an unknown state, it may have been. */
const NOT_DISPENSED: ReadonlySet<string> = new Set([
  "preparation",
  "in-progress",
  "cancelled",
  "on-hold",
  "entered-in-error",
  "stopped",
  "declined",
]);

/** Counts dispenses by the prescription they name. One that names two prescriptions is a fill of each. */
export function countFills(dispenses: Iterable<MedicationDispense>): FillCount {
  const of = new Map<string, Fills>();
  const strays: Stray[] = [];
  for (const { status, subject, medicationCodeableConcept, ...dispense } of dispenses) {
    if (NOT_DISPENSED.has(status)) continue;
    const on = dispense.whenHandedOver ?? dispense.whenPrepared ?? null;
    const named = new Set(
      (dispense.authorizingPrescription ?? []).flatMap(({ reference }) =>
        referencedId("MedicationRequest", reference) ?? []
      ),
    );
    for (const id of named) {
      const { count, lastOn, uncertain } = of.get(id) ?? NO_FILLS;
      const completed = { count: count + 1, lastOn: later(lastOn, on), uncertain };
      of.set(id, status === "completed" ? completed : { count, lastOn, uncertain: uncertain + 1 });
    }
    const patientId = patientIdOf(subject?.reference);
    if (named.size > 0 || patientId === null) continue;
    strays.push({ patientId, codes: codesOf(medicationCodeableConcept), on });
  }
  return { of, strays };
}

/** True when a stray dispense may be a fill of this prescription: by patient, drug and time. Missing data may fit. */
export function mayBeOf({ patientId, codes, on }: Stray, request: AnyRequest): boolean {
  if (patientId !== request.subject) return false;
  const prescribed = codesOf(request.medicationCodeableConcept);
  const isOfDrug = codes.some(({ system, code }) =>
    prescribed.some((other) => other.system === system && other.code === code)
  );
  if (codes.length > 0 && !isOfDrug) return false;
  const [at, since] = [firstInstant(on), firstInstant(request.authoredOn)];
  return at === null || since === null || at >= since;
}

/** The later of two FHIR dateTimes; text that is none loses. */
function later(a: string | null, b: string | null): string | null {
  return (firstInstant(b) ?? -Infinity) > (firstInstant(a) ?? -Infinity) ? b : a;
}
