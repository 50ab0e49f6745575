import { z } from "zod";

/**
 * The part of FHIR R4 that we read. Missing data is normal in FHIR, so every element that we can do without may
 * be absent. Status and the like stay plain text, because new codes come with new versions.
 */

/** A FHIR id. `.` and `..` match it, so it is no guard for a URL path by itself. */
export const FHIR_ID = /^[A-Za-z0-9\-.]{1,64}$/;

/** A relative reference, with or without the version it was made for. */
const REFERENCE = /^([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;

const text = z.string().nullish();
const fhirId = z.string().regex(FHIR_ID);

const referenceSchema = z.object({ reference: text });

const periodSchema = z.object({ start: text, end: text }).nullish();
export type Period = z.output<typeof periodSchema>;

const codesSchema = z.object({
  coding: z.array(z.object({ system: text, code: text })).nullish(),
}).nullish();

export const requestSchema = z.object({
  resourceType: z.literal("MedicationRequest"),
  id: fhirId,
  status: z.string(),
  intent: z.string(),
  /** The patient's id. A prescription for a group, or one without a reference to a patient, is unreadable. */
  subject: z.object({ reference: z.string() }).transform((to) => patientIdOf(to.reference)).pipe(fhirId),
  medicationCodeableConcept: codesSchema,
  doNotPerform: z.boolean().nullish(),
  authoredOn: text,
  dispenseRequest: z.object({
    validityPeriod: periodSchema,
    numberOfRepeatsAllowed: z.number().nullish(),
    expectedSupplyDuration: z.object({ value: z.number().nullish(), code: text }).nullish(),
  }).nullish(),
});
type MedicationRequest = z.output<typeof requestSchema>;

/** One malformed prescription must not hide the others of its page: of it only the patient is read. */
export const anyRequestSchema = z.union([
  requestSchema,
  requestSchema.pick({ id: true, subject: true }),
]);
export type AnyRequest = Pick<MedicationRequest, "id" | "subject"> & Partial<MedicationRequest>;

export const dispenseSchema = z.object({
  resourceType: z.literal("MedicationDispense"),
  id: fhirId,
  status: z.string(),
  subject: referenceSchema.nullish(),
  medicationCodeableConcept: codesSchema,
  whenPrepared: text,
  whenHandedOver: text,
  authorizingPrescription: z.array(referenceSchema).nullish(),
});
export type MedicationDispense = z.output<typeof dispenseSchema>;

/** As {@link anyRequestSchema}: of a malformed dispense only the patient is read. */
export const anyDispenseSchema = z.union([
  dispenseSchema,
  dispenseSchema.pick({ resourceType: true, id: true, subject: true })
    .transform((dispense): MedicationDispense => ({ ...dispense, status: "unreadable" })),
]);

/** Identifiers or contact points. */
const valuesSchema = z.array(z.object({ use: text, system: text, value: text, period: periodSchema }))
  .nullish();

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
    period: periodSchema,
  })).nullish(),
  active: z.boolean().nullish(),
  identifier: valuesSchema,
  telecom: valuesSchema,
  link: z.array(z.object({ other: referenceSchema.nullish(), type: text })).nullish(),
});
export type Patient = z.output<typeof patientSchema>;

/** A searchset. A server may add entries of other types: an OperationOutcome, or included resources. */
export const bundleSchema = z.object({
  resourceType: z.literal("Bundle"),
  link: z.array(z.object({ relation: z.string(), url: z.string() })).nullish(),
  entry: z.array(z.object({ resource: z.looseObject({ resourceType: z.string() }).nullish() })).nullish(),
});

/** The id in `<type>/<id>`, or null when the reference is absent, absolute or to another type. */
export function referencedId(type: string, reference: string | null | undefined): string | null {
  const [, given, id] = REFERENCE.exec(reference ?? "") ?? [];
  return given === type && id !== undefined ? id : null;
}

export function patientIdOf(reference: string | null | undefined): string | null {
  return referencedId("Patient", reference);
}

/** The codes that name their system. */
export function codesOf(concept: z.output<typeof codesSchema>): { system: string; code: string }[] {
  return (concept?.coding ?? []).flatMap(({ system, code }) => system && code ? [{ system, code }] : []);
}
