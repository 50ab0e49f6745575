import type { StepContext } from "../queue/step.ts";
import type { HealthPatient } from "../vendors/health.ts";

/** A longer chain of merges is a mistake in the health record. */
const MOST_MERGES = 5;

/** The present record of a patient. `before`: the records that it replaced, the one asked for first. */
type StandingPatient =
  | { kind: "gone" }
  | { kind: "unclear"; problem: string; patients: HealthPatient[] }
  | { kind: "patient"; patient: HealthPatient; before: HealthPatient[] };

/** Follows `replaced-by` from one record to the next. A replaced record that is still in use is unclear. */
export async function standingPatient(ctx: StepContext, patientId: string): Promise<StandingPatient> {
  const before: HealthPatient[] = [];
  let patient = await ctx.vendors.health.getPatient(patientId);
  if (!patient) return { kind: "gone" };
  const unclear = (problem: string, last: HealthPatient): StandingPatient => ({
    kind: "unclear",
    problem,
    patients: [...before, last],
  });
  while (patient.replacement.kind !== "none") {
    if (patient.active) return unclear("the old record is in use all the same", patient);
    if (patient.replacement.kind === "unclear") return unclear("it names no one patient", patient);
    const { id } = patient.replacement;
    if (before.length >= MOST_MERGES || [...before, patient].some((one) => one.id === id)) {
      return unclear("one record leads to the next without an end", patient);
    }
    const next = await ctx.vendors.health.getPatient(id);
    if (!next) return unclear("the record it names is not there", patient);
    before.push(patient);
    patient = next;
  }
  if (before.length > 0 && !patient.active) return unclear("the record it names is in use no more", patient);
  return { kind: "patient", patient, before };
}

/** The records that a patient replaced, as both sides say, so that news of either side is enough. */
export async function replacedBy(
  ctx: StepContext,
  patient: HealthPatient,
  known: readonly HealthPatient[],
): Promise<HealthPatient[]> {
  const others = patient.replaces.filter((id) => id !== patient.id && !known.some((one) => one.id === id));
  const found: HealthPatient[] = [];
  for (const id of others.slice(0, MOST_MERGES)) {
    const old = await ctx.vendors.health.getPatient(id);
    if (old && !old.active && old.replacement.kind === "patient" && old.replacement.id === patient.id) {
      found.push(old);
    }
  }
  return found;
}
