import { dayIn } from "../../../src/shared/day.ts";
import type { Resource, ResourceBody } from "./store.ts";

/** A day in the record is a day of the clinic. */
const CLINIC_ZONE = "America/New_York";

/** A postal address in FHIR's form, without a use or a period. */
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

/** A prescriber's decisions. Null: not given. A new drug needs its code and its text together. */
export interface PrescriptionTerms {
  rxnorm: string;
  /** The text for the pharmacist. A medical fact: it must never show up outside the health record. */
  drug: string;
  /** Fills after the first one. */
  repeats: number | null;
  /** FHIR dateTime. */
  validUntil: string | null;
  daysSupply: number | null;
  status: string;
}

const RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm";
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

/** The Patient after a move: addresses in use become old and stay in the list. */
export function afterMove({ address, ...patient }: Resource, to: SandboxAddress, at: Date): ResourceBody {
  const former = (address ?? []).map((one) =>
    one.use === "old" ? one : { ...one, use: "old", period: { ...one.period, end: dayIn(at, CLINIC_ZONE) } }
  );
  return { ...patient, address: [...former, homeAddress(to, at)] };
}

/** The Patient with another email address: the former one stays, as old. */
export function withEmail({ telecom, ...patient }: Resource, email: string): ResourceBody {
  const former = (telecom ?? []).map((one) => one.system === "email" ? { ...one, use: "old" } : one);
  return { ...patient, telecom: [...former, { system: "email", value: email, use: "home", rank: 1 }] };
}

/** The two records after a merge: the old one is inactive, and each links to the other. */
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

/** The same prescription on other terms. An absent term stays as it is. */
export function withTerms(former: ResourceBody, terms: Partial<PrescriptionTerms>): ResourceBody {
  const { rxnorm, drug, repeats, validUntil, daysSupply, status } = terms;
  if ((rxnorm === undefined) !== (drug === undefined)) throw new Error("a drug needs its code and its text");
  const { validityPeriod, ...dispenseRequest } = former.dispenseRequest ?? {};
  return {
    ...former,
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
