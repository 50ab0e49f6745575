import type { Prescription } from "../vendors/contract.ts";
import { endOfValidity, startOfValidity } from "../vendors/fhir-dates.ts";

export const RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm";

/** What a customer's prescriptions say about one product on one day. */
export type PrescriptionVerdict =
  /** All that can be used, the one that expires first at the head. */
  | { kind: "valid"; prescriptionIds: string[] }
  /** None can be used; `why` in plain words without a medical fact. */
  | { kind: "none"; why: string }
  /** One might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; what: string };

/** What is unclear where a dispense on file may have used the last fill, and does not say so. */
export const UNTOLD_FILL = "which prescription a recorded fill belongs to";

/** One active prescription: usable until a moment, not usable for a reason (`from`: only yet), or not to be told. */
export type PrescriptionFinding = { until: number } | { spent: string; from?: Date } | { unclear: string };

/**
 * Valid is: an active order for this product, begun, not expired, with a fill left. A prescription with an unknown
 * term or number of fills is never valid; it goes to a person unless another one is.
 */
export function judgePrescriptions(
  prescriptions: readonly Prescription[],
  codes: ReadonlySet<string>,
  now: Date,
  timeZone: string,
): PrescriptionVerdict {
  const forProduct = prescriptions.filter((prescription) => isFor(prescription, codes));
  if (forProduct.length === 0) {
    return prescriptions.some(isUnreadable)
      ? { kind: "unclear", what: "what it is for" }
      : { kind: "none", why: "none was ever written" };
  }
  const active = forProduct.filter((prescription) =>
    prescription.status === "active" && isOrder(prescription)
  );
  if (active.length === 0) return { kind: "none", why: "none is active" };
  const findings = active.map((prescription) => ({
    id: prescription.id,
    ...judgePrescription(prescription, now, timeZone),
  }));
  const valid = findings.flatMap((one) => "until" in one ? [one] : []).sort((a, b) => a.until - b.until);
  if (valid.length > 0) return { kind: "valid", prescriptionIds: valid.map(({ id }) => id) };
  const [unclear] = findings.flatMap((one) => "unclear" in one ? [one.unclear] : []);
  if (unclear) return { kind: "unclear", what: unclear };
  const spent = findings.flatMap((one) => "spent" in one ? [one.spent] : []);
  return { kind: "none", why: [...new Set(spent)].sort().join(", ") };
}

/** True for a prescription under one of a product's RxNorm codes. */
export function isFor({ codes: written }: Prescription, codes: ReadonlySet<string>): boolean {
  return written.some(({ system, code }) => system === RXNORM && codes.has(code));
}

/** True for an order to give the drug; a plan, a proposal or "do not give" is none. */
export function isOrder({ intent, doNotPerform }: Prescription): boolean {
  return intent === "order" && !doNotPerform;
}

/** True where the record holds a prescription that may be for anything. */
export function isUnreadable({ status }: Prescription): boolean {
  return status === "unreadable";
}

/** What can be said of one active order, whatever it is for. Unknown never counts as valid. */
export function judgePrescription(
  { validFrom, validUntil, ...fills }: Prescription,
  now: Date,
  timeZone: string,
): PrescriptionFinding {
  const until = validUntil && endOfValidity(validUntil, timeZone);
  if (until && until < now) return { spent: "expired" };
  const { fillsAllowed, fillsDispensed, uncertainFills = 0 } = fills;
  if (fillsAllowed !== null && fillsDispensed >= fillsAllowed) return { spent: "no fills left" };
  const from = validFrom === null ? null : startOfValidity(validFrom, timeZone);
  if (validFrom !== null && !from) return { unclear: "the first day it is valid" };
  if (from && from > now) return { spent: "not valid yet", from };
  if (!until) return { unclear: "the last day it is valid" };
  if (fillsAllowed === null) return { unclear: "the number of fills" };
  if (fillsDispensed + uncertainFills >= fillsAllowed) return { unclear: UNTOLD_FILL };
  return { until: until.getTime() };
}
