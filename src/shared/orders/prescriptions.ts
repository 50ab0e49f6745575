import type { Prescription } from "../vendors/contract.ts";
import { endOfValidity } from "../vendors/fhir-dates.ts";

export const RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm";

/** What a customer's prescriptions say about one product on one day. */
export type PrescriptionVerdict =
  | { kind: "valid"; prescriptionId: string }
  /** None can be used; `why` in plain words without a medical fact. */
  | { kind: "none"; why: string }
  /** One might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; what: string };

/**
 * Valid is: an active order for this product, not expired, with a fill left. Of several the one that expires first
 * is used. A prescription with an unknown expiry or number of fills is never valid; it goes to a person unless
 * another one is.
 */
export function judgePrescriptions(
  prescriptions: readonly Prescription[],
  codes: ReadonlySet<string>,
  now: Date,
  timeZone: string,
): PrescriptionVerdict {
  const ofProduct = prescriptions.filter((prescription) =>
    prescription.codes.some(({ system, code }) => system === RXNORM && codes.has(code))
  );
  if (ofProduct.length === 0) return { kind: "none", why: "none was ever written" };
  const active = ofProduct.filter(({ status, intent }) => status === "active" && intent === "order");
  if (active.length === 0) return { kind: "none", why: "none is active" };
  const valid: { id: string; until: number }[] = [];
  const unclear: string[] = [];
  const spent = new Set<string>();
  for (const prescription of active) {
    const until = prescription.validUntil && endOfValidity(prescription.validUntil, timeZone);
    const { fillsAllowed, fillsDispensed } = prescription;
    if (until && until < now) spent.add("expired");
    else if (fillsAllowed !== null && fillsDispensed >= fillsAllowed) spent.add("no fills left");
    else if (!until) unclear.push("the last day it is valid");
    else if (fillsAllowed === null) unclear.push("the number of fills");
    else valid.push({ id: prescription.id, until: until.getTime() });
  }
  valid.sort((a, b) => a.until - b.until);
  const [best] = valid;
  if (best) return { kind: "valid", prescriptionId: best.id };
  const [what] = unclear;
  if (what) return { kind: "unclear", what };
  return { kind: "none", why: [...spent].sort().join(", ") };
}
