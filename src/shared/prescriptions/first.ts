import { isOrder, isUnreadable, judgePrescription, RXNORM } from "./judge.ts";
import type { Prescription } from "../vendors/contract.ts";
import { firstInstant, parseFhirDateTime } from "../vendors/fhir-dates.ts";

/** A prescription older than this when we hear of it begins nothing by itself. */
export const FIRST_WITHIN_DAYS = 30;

/** What a customer's orders for one product say about beginning a subscription. */
export type FirstVerdict =
  /** One can be filled now; `notFirst` says why it may not be the first. */
  | { kind: "valid"; prescriptionId: string; notFirst: string | null }
  /** One will be valid from a day on. */
  | { kind: "later"; prescriptionId: string; from: Date }
  /** One might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; prescriptionId: string; what: string }
  | { kind: "none" };

/** What FHIR calls a prescription that may not be filled. A status that is not here is not understood. */
const NOT_FILLED = new Set(["on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft"]);
/** Never given to anybody: no earlier prescription. */
const NEVER_WRITTEN = new Set(["entered-in-error", "draft"]);

/** A customer's prescriptions, each with the product it is for. */
export interface Sorted {
  /** Orders to give a drug, by product. */
  byProduct: ReadonlyMap<number, Prescription[]>;
  /** Those that could be filled and are for nothing we sell. `why` without a medical fact. */
  unknown: { prescriptionId: string; why: string }[];
}

/** The RxNorm codes under which it was written. */
export function codesOf({ codes }: Prescription): string[] {
  return codes.filter(({ system }) => system === RXNORM).map(({ code }) => code);
}

/**
 * Plans, proposals and orders not to give a drug are no prescriptions.
 * @param products by RxNorm code
 */
export function sortByProduct(
  prescriptions: readonly Prescription[],
  products: ReadonlyMap<string, number>,
  now: Date,
  timeZone: string,
): Sorted {
  const byProduct = new Map<number, Prescription[]>();
  const unknown: Sorted["unknown"] = [];
  for (const prescription of prescriptions) {
    const isReadable = !isUnreadable(prescription);
    if (isReadable && !isOrder(prescription)) continue;
    const [product, another] = new Set(codesOf(prescription).flatMap((code) => products.get(code) ?? []));
    if (product !== undefined && another === undefined) {
      byProduct.set(product, [...(byProduct.get(product) ?? []), prescription]);
    } else if (mayBeFilled(prescription, now, timeZone)) {
      unknown.push({ prescriptionId: prescription.id, why: whyUnknown(prescription, another !== undefined) });
    }
  }
  return { byProduct, unknown };
}

function whyUnknown(prescription: Prescription, isAmbiguous: boolean): string {
  if (isUnreadable(prescription)) return "it cannot be read";
  if (isAmbiguous) return "its codes stand for more than one product";
  return codesOf(prescription).length === 0
    ? "it has no RxNorm code"
    : "its RxNorm code is in no row of registry.product_keys";
}

/** False for what has ended: nobody needs to know what it was for. */
function mayBeFilled(prescription: Prescription, now: Date, timeZone: string): boolean {
  if (NOT_FILLED.has(prescription.status)) return false;
  const finding = judgePrescription(prescription, now, timeZone);
  return !("spent" in finding) || finding.from !== undefined;
}

/**
 * Whether a subscription may begin on these orders for one product. One that was cancelled and written anew the same
 * day is still the first; one that was filled, or is older than {@link FIRST_WITHIN_DAYS}, is not.
 * @param heardAt when we were asked: age counts up to then, however late the answer is acted on
 */
export function judgeFirst(
  orders: readonly Prescription[],
  now: Date,
  timeZone: string,
  heardAt: Date,
): FirstVerdict {
  const findings = orders.filter(({ status }) => !NOT_FILLED.has(status))
    .map((prescription) => ({ prescription, ...judgeOne(prescription, now, timeZone) }))
    .sort((a, b) => writtenAt(b.prescription) - writtenAt(a.prescription));
  const newest = findings.find((one) => "valid" in one);
  if (newest) {
    const { id } = newest.prescription;
    return { kind: "valid", prescriptionId: id, notFirst: whyNotFirst(id, orders, heardAt) };
  }
  for (const one of findings) {
    if ("unclear" in one) return { kind: "unclear", prescriptionId: one.prescription.id, what: one.unclear };
  }
  const [soonest] = findings
    .flatMap((one) => "from" in one ? [{ prescriptionId: one.prescription.id, from: one.from }] : [])
    .sort((a, b) => a.from.getTime() - b.from.getTime());
  return soonest ? { kind: "later", ...soonest } : { kind: "none" };
}

type Judged = { valid: true } | { unclear: string } | { from: Date } | { spent: true };

function judgeOne(prescription: Prescription, now: Date, timeZone: string): Judged {
  if (prescription.status !== "active") return { unclear: "its status" };
  const finding = judgePrescription(prescription, now, timeZone);
  if ("unclear" in finding) return finding;
  if ("spent" in finding) return finding.from ? { from: finding.from } : { spent: true };
  // Without it nobody could tell when the next fill is due.
  return prescription.daysSupply === null ? { unclear: "the days' supply" } : { valid: true };
}

function whyNotFirst(id: string, orders: readonly Prescription[], heardAt: Date): string | null {
  const written = orders.filter(({ status }) => !NEVER_WRITTEN.has(status));
  if (written.some(({ fillsDispensed }) => fillsDispensed > 0)) return "it was filled before";
  if (written.some((one) => writtenAt(one) === -Infinity)) return "nobody can tell when it was first written";
  const oldest = Math.min(...written.map(writtenAt));
  if (oldest >= heardAt.getTime() - FIRST_WITHIN_DAYS * 86_400_000) return null;
  return written.some((one) => one.id === id && writtenAt(one) === oldest)
    ? `it was written more than ${FIRST_WITHIN_DAYS} days before we heard of it`
    : `an earlier one was written more than ${FIRST_WITHIN_DAYS} days ago`;
}

/** In milliseconds; an unknown day counts as long ago. A day begins in UTC. */
function writtenAt({ writtenOn }: Prescription): number {
  const parsed = writtenOn === null ? null : parseFhirDateTime(writtenOn);
  return parsed ? firstInstant(parsed) : -Infinity;
}
