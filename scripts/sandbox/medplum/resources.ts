import { dayIn } from "../../../src/shared/day.ts";
import type { Resource, ResourceBody } from "./store.ts";

/** Whoever writes a day into the record writes that of the clinic. */
const CLINIC_ZONE = "America/New_York";

/** A postal address as FHIR writes it, before it has a use or a period. */
export interface SandboxAddress {
  line: string[];
  city: string;
  state: string;
  postalCode: string;
  country?: string;
}

export interface NewPatient {
  /** As on the parcel; the last word is the family name. */
  name: string;
  address: SandboxAddress;
  telecom?: { email?: string; phone?: string };
  identifiers?: Identifier[];
  id?: string;
}

export type Identifier = { system: string; value: string };

/** What a prescriber decides. Null: not said. A new drug needs its code and its text together. */
export interface PrescriptionTerms {
  rxnorm: string;
  /** What the pharmacist reads. A medical fact: it must never show up outside the health record. */
  drug: string;
  /** Fills after the first one. */
  repeats: number | null;
  /** FHIR dateTime. */
  validUntil: string | null;
  daysSupply: number | null;
  status: string;
}

export const RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm";
export const PHARMACY_ORDER_SYSTEM = "https://pharmacy.example/order-id";
const UCUM = "http://unitsofmeasure.org";

export function patientResource(
  { name, address, telecom, identifiers = [] }: NewPatient,
  since: Date,
): ResourceBody {
  const words = name.trim().split(/\s+/);
  const contact = (system: string, value: string | undefined) =>
    value === undefined ? [] : [{ system, value, use: "home", rank: 1 }];
  return {
    active: true,
    ...(identifiers.length > 0 ? { identifier: structuredClone(identifiers) } : {}),
    name: [{ use: "official", family: words.at(-1) ?? "", given: words.slice(0, -1) }],
    telecom: [...contact("email", telecom?.email), ...contact("phone", telecom?.phone)],
    address: [homeAddress(address, since)],
  };
}

/** The Patient after a move: what was in use becomes old, and the list keeps it. */
export function afterMove(
  { address: held, ...patient }: Resource,
  to: SandboxAddress,
  at: Date,
): ResourceBody {
  const before = (held ?? []).map((one) =>
    one.use === "old" ? one : { ...one, use: "old", period: { ...one.period, end: dayIn(at, CLINIC_ZONE) } }
  );
  return { ...patient, address: [...before, homeAddress(to, at)] };
}

/** The Patient with another email address: the one before stays, as old. */
export function withEmail({ telecom, ...patient }: Resource, email: string): ResourceBody {
  const held = (telecom ?? []).map((one) => one.system === "email" ? { ...one, use: "old" } : one);
  return { ...patient, telecom: [...held, { system: "email", value: email, use: "home", rank: 1 }] };
}

/** The two sides of a merge: the old record is in use no more, and each names the other. */
export function afterMerge(old: Resource, kept: Resource): { old: ResourceBody; kept: ResourceBody } {
  return {
    old: { ...old, active: false, link: [...(old.link ?? []), linkTo(kept, "replaced-by")] },
    kept: { ...kept, link: [...(kept.link ?? []), linkTo(old, "replaces")] },
  };
}

function linkTo({ id }: Resource, type: string) {
  return { other: { reference: `Patient/${id}` }, type };
}

function homeAddress(address: SandboxAddress, since: Date) {
  const { line, city, state, postalCode } = address;
  return {
    use: "home",
    type: "both",
    text: `${line.join(", ")}, ${city}, ${state} ${postalCode}`,
    ...structuredClone(address),
    period: { start: dayIn(since, CLINIC_ZONE) },
  };
}

export function prescriptionResource(
  { patient, terms, writtenAt }: { patient: Resource; terms: PrescriptionTerms; writtenAt: Date },
): ResourceBody {
  return withTerms({
    intent: "order",
    subject: { reference: `Patient/${patient.id}`, display: displayName(patient) },
    authoredOn: writtenAt.toISOString(),
    requester: { reference: "Practitioner/sandbox", display: "Dr. Imogen Sandbox" },
    dispenseRequest: { validityPeriod: { start: dayIn(writtenAt, CLINIC_ZONE) } },
  }, terms);
}

/** The same prescription on other terms; what `terms` does not name stays. */
export function withTerms(held: ResourceBody, terms: Partial<PrescriptionTerms>): ResourceBody {
  const { rxnorm, drug, repeats, validUntil, daysSupply, status } = terms;
  if ((rxnorm === undefined) !== (drug === undefined)) throw new Error("a drug needs its code and its text");
  const { validityPeriod, ...dispenseRequest } = held.dispenseRequest ?? {};
  return {
    ...held,
    ...(status === undefined ? {} : { status }),
    ...(rxnorm === undefined || drug === undefined ? {} : medication(rxnorm, drug)),
    dispenseRequest: {
      ...dispenseRequest,
      validityPeriod: validUntil === undefined
        ? validityPeriod
        : { ...validityPeriod, end: validUntil ?? undefined },
      ...(repeats === undefined ? {} : { numberOfRepeatsAllowed: repeats ?? undefined }),
      ...(daysSupply === undefined ? {} : { expectedSupplyDuration: days(daysSupply) }),
    },
  };
}

function medication(rxnorm: string, drug: string): ResourceBody {
  return {
    medicationCodeableConcept: { coding: [{ system: RXNORM, code: rxnorm, display: drug }], text: drug },
    reasonCode: [{ text: `Long-term treatment with ${drug}` }],
    note: [{ text: `Patient tolerates ${drug} well; asked about interactions.` }],
    dosageInstruction: [{ sequence: 1, text: `Take ${drug} once a day with food` }],
  };
}

function days(value: number | null) {
  return value === null ? undefined : { value, unit: "days", system: UCUM, code: "d" };
}

export function dispenseResource(
  { prescription, pharmacyOrderId, at }: { prescription: Resource; pharmacyOrderId: string; at: Date },
): ResourceBody {
  return {
    status: "completed",
    identifier: [{ system: PHARMACY_ORDER_SYSTEM, value: pharmacyOrderId }],
    medicationCodeableConcept: prescription.medicationCodeableConcept,
    ...(prescription.subject ? { subject: prescription.subject } : {}),
    authorizingPrescription: [{ reference: `MedicationRequest/${prescription.id}` }],
    whenHandedOver: at.toISOString(),
    dosageInstruction: prescription.dosageInstruction,
  };
}

function displayName({ name }: Resource): string {
  const first = name?.[0];
  return [...(first?.given ?? []), first?.family ?? ""].join(" ").trim();
}
