import { z } from "zod";
import type { Prescription } from "../contract.ts";
import { firstInstant, parseFhirDateTime } from "../fhir-dates.ts";

/**
 * The part of FHIR R4 that we read. Missing data is normal in FHIR, so everything that we can do without may
 * be absent; status and the like stay plain text, for new codes come with new versions.
 */

/** A FHIR id. `.` and `..` match it, so it is no guard for a URL path by itself. */
export const FHIR_ID = /^[A-Za-z0-9\-.]{1,64}$/;

/** A relative reference, with or without the version it was made for. */
const REFERENCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;

const text = z.string().nullish();
const fhirId = z.string().regex(FHIR_ID);

const referenceSchema = z.object({ reference: text });

const periodSchema = z.object({ start: text, end: text });

const durationSchema = z.object({ value: z.number().nullish(), code: text });

export const medicationRequestSchema = z.object({
  resourceType: z.literal("MedicationRequest"),
  id: fhirId,
  status: z.string(),
  intent: z.string(),
  /** The patient's id. A prescription for a group, or one that names nobody by reference, is not one to ship on. */
  subject: z.object({ reference: z.string() }).transform((to) => patientIdOf(to.reference)).pipe(fhirId),
  medicationCodeableConcept: z.object({
    coding: z.array(z.object({ system: text, code: text })).nullish(),
  }).nullish(),
  doNotPerform: z.boolean().nullish(),
  authoredOn: text,
  dispenseRequest: z.object({
    validityPeriod: periodSchema.nullish(),
    numberOfRepeatsAllowed: z.number().nullish(),
    expectedSupplyDuration: durationSchema.nullish(),
  }).nullish(),
});
export type MedicationRequest = z.output<typeof medicationRequestSchema>;

export const medicationDispenseSchema = z.object({
  resourceType: z.literal("MedicationDispense"),
  id: fhirId,
  status: z.string(),
  whenPrepared: text,
  whenHandedOver: text,
  authorizingPrescription: z.array(referenceSchema).nullish(),
});
export type MedicationDispense = z.output<typeof medicationDispenseSchema>;

export const patientSchema = z.object({
  resourceType: z.literal("Patient"),
  id: fhirId,
  name: z.array(z.object({
    use: text,
    text,
    family: text,
    given: z.array(z.string().nullable()).nullish(),
  })).nullish(),
  address: z.array(z.object({
    use: text,
    line: z.array(z.string().nullable()).nullish(),
    city: text,
    state: text,
    postalCode: text,
    country: text,
    period: periodSchema.nullish(),
  })).nullish(),
  active: z.boolean().nullish(),
  identifier: z.array(z.object({ use: text, system: text, value: text, period: periodSchema.nullish() }))
    .nullish(),
  telecom: z.array(z.object({ use: text, system: text, value: text, period: periodSchema.nullish() }))
    .nullish(),
  link: z.array(z.object({ other: referenceSchema.nullish(), type: text })).nullish(),
});
export type Patient = z.output<typeof patientSchema>;

/** A searchset. A server may add entries of other types: an OperationOutcome, or what was included. */
export const bundleSchema = z.object({
  resourceType: z.literal("Bundle"),
  link: z.array(z.object({ relation: z.string(), url: z.string() })).nullish(),
  entry: z.array(z.object({ resource: z.looseObject({ resourceType: z.string() }).nullish() })).nullish(),
});
export type Bundle = z.output<typeof bundleSchema>;

/** The id in `<type>/<id>`, or null when the reference is absent, absolute or to another type. */
export function referencedId(type: string, reference: string | null | undefined): string | null {
  const [, given, id] = REFERENCE.exec(reference ?? "") ?? [];
  return given === type && id !== undefined ? id : null;
}

export function patientIdOf(reference: string | null | undefined): string | null {
  return referencedId("Patient", reference);
}

/**
 * A MedicationRequest in our words. FHIR counts repeats, which leave out the first fill, and has no field for
 * the fills that remain: they are counted from the completed dispenses.
 */
export function toPrescription(request: MedicationRequest, fills: Fills = NO_FILLS): Prescription {
  const { dispenseRequest } = request;
  const repeats = dispenseRequest?.numberOfRepeatsAllowed;
  return {
    id: request.id,
    patientId: request.subject,
    status: request.status,
    intent: request.intent,
    codes: (request.medicationCodeableConcept?.coding ?? []).flatMap(({ system, code }) =>
      system && code ? [{ system, code }] : []
    ),
    writtenOn: request.authoredOn ?? null,
    doNotPerform: request.doNotPerform === true,
    validFrom: dispenseRequest?.validityPeriod?.start ?? null,
    validUntil: dispenseRequest?.validityPeriod?.end ?? null,
    fillsAllowed: isCount(repeats) ? 1 + repeats : null,
    fillsDispensed: fills.count,
    lastDispensedOn: fills.lastOn,
    daysSupply: inDays(dispenseRequest?.expectedSupplyDuration),
  };
}

/** A prescription of which only the patient can be read. */
export const unreadableRequestSchema = medicationRequestSchema.pick({ id: true, subject: true });

/**
 * One malformed prescription must not hide those of the other patients, nor count as valid: it is for no product, in no
 * state that is known.
 */
export function unreadablePrescription(
  { id, subject }: z.output<typeof unreadableRequestSchema>,
): Prescription {
  return {
    id,
    patientId: subject,
    status: "unknown",
    intent: "unknown",
    codes: [],
    writtenOn: null,
    doNotPerform: false,
    validFrom: null,
    validUntil: null,
    fillsAllowed: null,
    fillsDispensed: 0,
    lastDispensedOn: null,
    daysSupply: null,
  };
}

/** The completed dispenses of one prescription: how many, and when the last one was handed over. */
export interface Fills {
  count: number;
  /** FHIR dateTime. */
  lastOn: string | null;
}

const NO_FILLS: Fills = { count: 0, lastOn: null };

/** The later of two FHIR dateTimes; text that is none loses. */
function later(a: string | null, b: string | null | undefined): string | null {
  const time = (text: string | null | undefined) => {
    const parsed = text ? parseFhirDateTime(text) : null;
    return parsed ? firstInstant(parsed) : -Infinity;
  };
  return time(b) > time(a) ? b ?? null : a;
}

/** Completed dispenses per prescription id. A dispense that names two prescriptions is a fill of each. */
export function countFills(dispenses: Iterable<MedicationDispense>): Map<string, Fills> {
  const fills = new Map<string, Fills>();
  for (const { status, authorizingPrescription, whenHandedOver, whenPrepared } of dispenses) {
    if (status !== "completed") continue;
    const named = (authorizingPrescription ?? []).map((to) =>
      referencedId("MedicationRequest", to.reference)
    );
    for (const id of new Set(named)) {
      if (id === null) continue;
      const { count, lastOn } = fills.get(id) ?? NO_FILLS;
      fills.set(id, { count: count + 1, lastOn: later(lastOn, whenHandedOver ?? whenPrepared) });
    }
  }
  return fills;
}

/** UCUM codes; months have no fixed length, and a fraction of a day is no supply that we can plan with. */
const DAYS: Readonly<Record<string, number>> = { d: 1, wk: 7 };

function inDays(duration: z.output<typeof durationSchema> | null | undefined): number | null {
  const days = (duration?.value ?? 0) * (DAYS[duration?.code ?? ""] ?? 0);
  return isCount(days) && days > 0 ? days : null;
}

function isCount(value: number | null | undefined): value is number {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}
