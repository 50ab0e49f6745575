import type { StepContext } from "../queue/step.ts";
import { VendorError } from "../vendors/contract.ts";
import type { Prescription } from "../vendors/health.ts";

/** Patients in a call: the health record's own limit, then smaller ones when a call fails. */
const PATIENTS_AT_ONCE = [100, 10, 1] as const;

export interface Answers {
  /** By patient. A patient unknown to the health record is not in it. */
  prescriptions: Map<string, Prescription[]>;
  /** Patients about whom the health record gave no answer, though it answered about others. */
  unanswered: Set<string>;
}

/**
 * The prescriptions of many patients. When a call fails, the health record is asked again in smaller calls, so that one
 * patient never keeps the finder from the rest. When it answers about nobody, the call's own failure is thrown.
 */
export async function askHealthRecord(ctx: StepContext, patientIds: readonly string[]): Promise<Answers> {
  const answers: Answers = { prescriptions: new Map(), unanswered: new Set() };
  const [size, ...smaller] = PATIENTS_AT_ONCE;
  for (const part of parts(patientIds, size)) await ask(ctx, part, smaller, answers);
  return answers;
}

/** Throws when the health record answers about none of the patients. */
async function ask(
  ctx: StepContext,
  patientIds: readonly string[],
  [size = 1, ...smaller]: readonly number[],
  answers: Answers,
): Promise<void> {
  try {
    const found = await ctx.vendors.health.listPrescriptionsOf(patientIds);
    for (const [id, prescriptions] of found) answers.prescriptions.set(id, prescriptions);
  } catch (error) {
    if (!isAboutPatients(error) || patientIds.length === 1) throw error;
    const unanswered: string[] = [];
    for (const part of parts(patientIds, size)) {
      try {
        await ask(ctx, part, smaller, answers);
      } catch (failure) {
        if (!isAboutPatients(failure)) throw failure;
        unanswered.push(...part);
      }
    }
    if (unanswered.length === patientIds.length) throw error;
    for (const id of unanswered) answers.unanswered.add(id);
  }
}

/** False for a limit, a refused key and an unreachable vendor, which are about nobody. */
function isAboutPatients(error: unknown): boolean {
  if (!(error instanceof VendorError)) return false;
  return error.failure === "unanswered" || (error.failure === "refused" && error.details.status !== 401);
}

function parts<T>(all: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < all.length; i += size) chunks.push(all.slice(i, i + size));
  return chunks;
}
