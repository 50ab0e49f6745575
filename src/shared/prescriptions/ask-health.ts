import type { StepContext } from "../queue/step.ts";
import { VendorError } from "../vendors/contract.ts";
import type { Prescription } from "../vendors/health.ts";

/** The health record's own limit on patients in one call. */
const PATIENTS_AT_ONCE = 100;

/** How a call that fails is taken apart: few calls where one patient of a hundred is to blame. */
const SMALLER = [10, 1] as const;

export interface Answers {
  /** Patients whom the health record does not know are not in it. */
  prescriptions: Map<string, Prescription[]>;
  /** Patients about whom it gave no answer, though it answered about others. */
  unanswered: Set<string>;
}

/**
 * The prescriptions of many patients. A patient on whom the health record chokes is told apart from an outage: the
 * others are asked about in smaller calls, so that one patient never keeps the finder from the rest. When nobody is
 * answered about, it is an outage, and the call's own failure goes on.
 */
export async function askHealthRecord(ctx: StepContext, patientIds: readonly string[]): Promise<Answers> {
  const answers: Answers = { prescriptions: new Map(), unanswered: new Set() };
  for (let i = 0; i < patientIds.length; i += PATIENTS_AT_ONCE) {
    await ask(ctx, patientIds.slice(i, i + PATIENTS_AT_ONCE), SMALLER, answers);
  }
  return answers;
}

/** True when somebody was answered about. */
async function ask(
  ctx: StepContext,
  patientIds: readonly string[],
  smaller: readonly number[],
  answers: Answers,
): Promise<boolean> {
  try {
    for (const [id, found] of await ctx.vendors.health.listPrescriptionsOf(patientIds)) {
      answers.prescriptions.set(id, found);
    }
    return true;
  } catch (error) {
    if (!isAboutPatients(error) || patientIds.length === 1) throw error;
    const [size = 1, ...rest] = smaller;
    return await askInParts(ctx, parts(patientIds, size), rest, answers, error);
  }
}

async function askInParts(
  ctx: StepContext,
  all: readonly (readonly string[])[],
  smaller: readonly number[],
  answers: Answers,
  failure: VendorError,
): Promise<boolean> {
  let isAnyAnswered = false;
  const silent: string[] = [];
  for (const part of all) {
    try {
      isAnyAnswered = (await ask(ctx, part, smaller, answers)) || isAnyAnswered;
    } catch (error) {
      if (!isAboutPatients(error)) throw error;
      silent.push(...part);
    }
  }
  if (!isAnyAnswered) throw failure;
  for (const id of silent) answers.unanswered.add(id);
  return true;
}

/** A limit, a refused key and a vendor that cannot be reached are about nobody. */
function isAboutPatients(error: unknown): error is VendorError {
  if (!(error instanceof VendorError)) return false;
  return error.failure === "unanswered" || (error.failure === "refused" && error.details.status !== 401);
}

function parts<T>(all: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < all.length; i += size) chunks.push(all.slice(i, i + size));
  return chunks;
}
