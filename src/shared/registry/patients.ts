import type { StepContext } from "../queue/step.ts";
import type { HealthPatient } from "../vendors/health.ts";

/** A chain of merges longer than this is a mistake of the record's. */
const MOST_MERGES = 5;

/** The record that stands for a patient now, and those it took the place of, the one asked for first. */
export type StandingPatient =
  | { kind: "gone" }
  | { kind: "unclear"; problem: string; patients: HealthPatient[] }
  | { kind: "patient"; patient: HealthPatient; before: HealthPatient[] };

/** Follows `replaced-by` from one record to the next. A record that was replaced and is in use all the same is unclear. */
export async function standingPatient(ctx: StepContext, patientId: string): Promise<StandingPatient> {
  const before: HealthPatient[] = [];
  let patient = await ctx.vendors.health.getPatient(patientId);
  if (!patient) return { kind: "gone" };
  while (patient.replacement.kind !== "none") {
    const seen = [...before, patient];
    const unclear = (problem: string): StandingPatient => ({ kind: "unclear", problem, patients: seen });
    if (patient.active) return unclear("the old record is in use all the same");
    if (patient.replacement.kind === "unclear") return unclear("it names no one patient");
    const { id } = patient.replacement;
    if (seen.length > MOST_MERGES || seen.some((one) => one.id === id)) {
      return unclear("one record leads to the next without an end");
    }
    const next = await ctx.vendors.health.getPatient(id);
    if (!next) return unclear("the record it names is not there");
    before.push(patient);
    patient = next;
  }
  if (before.length > 0 && !patient.active) {
    return {
      kind: "unclear",
      problem: "the record it names is in use no more",
      patients: [...before, patient],
    };
  }
  return { kind: "patient", patient, before };
}

/** The records a patient says it replaced and that say so themselves: news of either side is enough. */
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
