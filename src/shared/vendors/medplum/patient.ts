import type { HealthPatient } from "../health.ts";
import { periodContains } from "./dates.ts";
import { type Patient, patientIdOf } from "./fhir.ts";

/**
 * A Patient as {@link HealthPatient}. Elements that are old (`use`) or past (`period`) at `now` are left out. In FHIR a
 * Patient with a link `replaced-by` must be used no more, and the other one says `replaces`; either may come first.
 */
export function toHealthPatient(patient: Patient, now: Date, timeZone: string): HealthPatient {
  const inUse = (entries: Patient["telecom"]) =>
    (entries ?? []).filter(({ use, period }) => use !== "old" && periodContains(period, now, timeZone));
  return {
    id: patient.id,
    active: patient.active !== false,
    identifiers: inUse(patient.identifier)
      .flatMap(({ system, value }) => system && value ? [{ system, value }] : []),
    replacement: replacementOf(patient),
    replaces: linked(patient, "replaces").flatMap((id) => id ?? []),
    emails: inUse(patient.telecom)
      .flatMap(({ system, value }) => (system === "email" && value?.trim()) || []),
  };
}

/** Two replacements, or one that is no patient of this server, cannot be followed. */
function replacementOf(patient: Patient): HealthPatient["replacement"] {
  const others = new Set(linked(patient, "replaced-by"));
  const [other] = others;
  if (others.size === 0) return { kind: "none" };
  return others.size === 1 && other && other !== patient.id
    ? { kind: "patient", id: other }
    : { kind: "unclear" };
}

/** The patients that links of this type name; null for a link to something else. */
function linked({ link }: Patient, type: string): (string | null)[] {
  return (link ?? []).filter((one) => one.type === type).map(({ other }) => patientIdOf(other?.reference));
}
