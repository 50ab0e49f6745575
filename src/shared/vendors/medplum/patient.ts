import type { HealthPatient } from "../contract.ts";
import { periodContains } from "./dates.ts";
import { type Patient, patientIdOf } from "./fhir.ts";

/**
 * Who a Patient is. What is old (`use`) or past (`period`) at `now` is left out. FHIR has it that a Patient with a link
 * `replaced-by` must be used no more, and that the other one then says `replaces`; either may come first.
 */
export function toHealthPatient(patient: Patient, now: Date, timeZone: string): HealthPatient {
  const inUse = ({ use, period }: { use?: string | null | undefined; period?: Period }) =>
    use !== "old" && periodContains(period, now, timeZone);
  return {
    id: patient.id,
    active: patient.active !== false,
    identifiers: (patient.identifier ?? []).filter(inUse).flatMap(({ system, value }) =>
      system && value ? [{ system, value }] : []
    ),
    replacement: replacementOf(patient),
    replaces: linked(patient, "replaces").flatMap((id) => id ?? []),
    emails: (patient.telecom ?? []).filter((one) => one.system === "email" && inUse(one)).flatMap((
      { value },
    ) => value?.trim() || []),
  };
}

type Period = Parameters<typeof periodContains>[0];

/** Two replacements, or one that is no patient of this server, are none that can be followed. */
function replacementOf(patient: Patient): HealthPatient["replacement"] {
  const others = new Set(linked(patient, "replaced-by"));
  const [other] = others;
  if (others.size === 0) return { kind: "none" };
  return others.size === 1 && other && other !== patient.id
    ? { kind: "patient", id: other }
    : { kind: "unclear" };
}

/** The patients that links of this type name; null where it is something else. */
function linked({ link }: Patient, type: string): (string | null)[] {
  return (link ?? []).filter((one) => one.type === type).map(({ other }) => patientIdOf(other?.reference));
}
