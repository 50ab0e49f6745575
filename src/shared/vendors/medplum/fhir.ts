import { z } from "zod";
import type { Prescription } from "../contract.ts";
import { firstInstant, recordedDate } from "./dates.ts";

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

const codesSchema = z.object({
  coding: z.array(z.object({ system: text, code: text })).nullish(),
}).nullish();

export const medicationRequestSchema = z.object({
  resourceType: z.literal("MedicationRequest"),
  id: fhirId,
  status: z.string(),
  intent: z.string(),
  /** The patient's id. A prescription for a group, or one that names nobody by reference, is not one to ship on. */
  subject: z.object({ reference: z.string() }).transform((to) => patientIdOf(to.reference)).pipe(fhirId),
  medicationCodeableConcept: codesSchema,
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
  subject: referenceSchema.nullish(),
  medicationCodeableConcept: codesSchema,
  whenPrepared: text,
  whenHandedOver: text,
  authorizingPrescription: z.array(referenceSchema).nullish(),
});
export type MedicationDispense = z.output<typeof medicationDispenseSchema>;

/** A dispense of which only the patient can be read. */
export const unreadableDispenseSchema = z.object({
  resourceType: z.literal("MedicationDispense"),
  id: fhirId,
  subject: referenceSchema.nullish(),
}).transform(({ resourceType, id, subject }): MedicationDispense => ({
  resourceType,
  id,
  status: "unreadable",
  subject,
}));

/** Who is there at all. */
export const knownPatientSchema = z.object({ resourceType: z.literal("Patient"), id: fhirId });

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
 * @param fills null: they were not counted
 */
export function toPrescription(request: MedicationRequest, fills: FillCount | null): Prescription {
  const { dispenseRequest } = request;
  const repeats = dispenseRequest?.numberOfRepeatsAllowed;
  const { count, lastOn, uncertain } = fills?.of.get(request.id) ?? NO_FILLS;
  const strays = fills?.strays.filter((stray) => mayBeOf(stray, request)).length ?? 0;
  return {
    id: request.id,
    patientId: request.subject,
    fhir: {
      status: request.status,
      intent: request.intent,
      doNotPerform: request.doNotPerform === true,
    },
    codes: codesOf(request.medicationCodeableConcept),
    writtenOn: recordedDate(request.authoredOn),
    validFrom: recordedDate(dispenseRequest?.validityPeriod?.start),
    validUntil: recordedDate(dispenseRequest?.validityPeriod?.end),
    fillsAllowed: isCount(repeats) ? 1 + repeats : null,
    fillsDispensed: fills && count,
    ...(uncertain + strays > 0 ? { uncertainFills: uncertain + strays } : {}),
    lastDispensedOn: recordedDate(lastOn),
    daysSupply: inDays(dispenseRequest?.expectedSupplyDuration),
  };
}

/** A prescription of which only the patient can be read. */
export const unreadableRequestSchema = medicationRequestSchema.pick({ id: true, subject: true });

/**
 * One malformed prescription must not hide those of the other patients, nor count as valid: it is for no product.
 */
export function unreadablePrescription(
  { id, subject }: z.output<typeof unreadableRequestSchema>,
): Prescription {
  return {
    id,
    patientId: subject,
    fhir: null,
    codes: [],
    writtenOn: null,
    validFrom: null,
    validUntil: null,
    fillsAllowed: null,
    fillsDispensed: null,
    lastDispensedOn: null,
    daysSupply: null,
  };
}

/** The dispenses of one prescription. */
export interface Fills {
  /** Completed ones. */
  count: number;
  /** FHIR dateTime of the latest completed one. */
  lastOn: string | null;
  /** Those in a state that does not say whether a fill was used. */
  uncertain: number;
}

/** A dispense that names no prescription: it used a fill of one that it does not tell. */
interface Stray {
  patientId: string;
  /** Null: it does not say what was dispensed. */
  codes: { system: string; code: string }[] | null;
  /** FHIR dateTime. */
  on: string | null;
}

/** What dispenses say about the fills that are used. */
export interface FillCount {
  /** By prescription. */
  of: ReadonlyMap<string, Fills>;
  strays: readonly Stray[];
}

const NO_FILLS: Fills = { count: 0, lastOn: null, uncertain: 0 };

/** FHIR's states of a dispense in which no fill was used (yet). In one that we do not know, it may have been. */
const NOT_DISPENSED: ReadonlySet<string> = new Set([
  "preparation",
  "in-progress",
  "cancelled",
  "on-hold",
  "entered-in-error",
  "stopped",
  "declined",
]);

/** Whether a stray dispense may be a fill of this prescription: by patient, drug and time. What is not said may fit. */
function mayBeOf({ patientId, codes, on }: Stray, request: MedicationRequest): boolean {
  if (patientId !== request.subject) return false;
  const written = codesOf(request.medicationCodeableConcept);
  if (
    codes && !codes.some((one) => written.some((two) => one.system === two.system && one.code === two.code))
  ) {
    return false;
  }
  const [at, since] = [firstInstant(on), firstInstant(request.authoredOn)];
  return at === null || since === null || at >= since;
}

function codesOf(concept: z.output<typeof codesSchema>): { system: string; code: string }[] {
  return (concept?.coding ?? []).flatMap(({ system, code }) => system && code ? [{ system, code }] : []);
}

/** The later of two FHIR dateTimes; text that is none loses. */
function later(a: string | null, b: string | null | undefined): string | null {
  return (firstInstant(b) ?? -Infinity) > (firstInstant(a) ?? -Infinity) ? b ?? null : a;
}

/** Counts dispenses by the prescription they name. One that names two prescriptions is a fill of each. */
export function countFills(dispenses: Iterable<MedicationDispense>): FillCount {
  const of = new Map<string, Fills>();
  const strays: Stray[] = [];
  for (const dispense of dispenses) {
    const { status, subject, whenHandedOver, whenPrepared } = dispense;
    if (NOT_DISPENSED.has(status)) continue;
    const on = whenHandedOver ?? whenPrepared ?? null;
    const named = prescriptionsNamedBy(dispense);
    for (const id of named) {
      const { count, lastOn, uncertain } = of.get(id) ?? NO_FILLS;
      of.set(
        id,
        status === "completed"
          ? { count: count + 1, lastOn: later(lastOn, on), uncertain }
          : { count, lastOn, uncertain: uncertain + 1 },
      );
    }
    const patientId = patientIdOf(subject?.reference);
    if (named.size > 0 || patientId === null) continue;
    const codes = codesOf(dispense.medicationCodeableConcept);
    strays.push({ patientId, codes: codes.length > 0 ? codes : null, on });
  }
  return { of, strays };
}

function prescriptionsNamedBy({ authorizingPrescription }: MedicationDispense): Set<string> {
  const ids = (authorizingPrescription ?? []).flatMap((to) =>
    referencedId("MedicationRequest", to.reference) ?? []
  );
  return new Set(ids);
}

/** UCUM codes; months have no fixed length, and a fraction of a day is no supply that we can plan with. */
const DAYS: Readonly<Record<string, number>> = { d: 1, wk: 7 };

/** A fill that lasts longer is a slip of the pen. */
const LONGEST_SUPPLY_DAYS = 1000;

function inDays(duration: z.output<typeof durationSchema> | null | undefined): number | null {
  const days = (duration?.value ?? 0) * (DAYS[duration?.code ?? ""] ?? 0);
  return isCount(days) && days > 0 && days <= LONGEST_SUPPLY_DAYS ? days : null;
}

function isCount(value: number | null | undefined): value is number {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}
