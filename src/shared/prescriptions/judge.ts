import type { Prescription } from "../vendors/health.ts";
import { isFor } from "./by-product.ts";
import { type Standing, standingOf } from "./standing.ts";

/** What a customer's prescriptions say about one product on one day. */
export type PrescriptionVerdict =
  /** All that can be used, the one that expires first at the head. */
  | { kind: "valid"; prescriptionIds: string[] }
  /** None can be used; `why` in plain words without a medical fact. */
  | { kind: "none"; why: string }
  /** One might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; what: string };

/** Standings of a prescription that nobody calls active. One of a status that is not understood counts as such here. */
const NOT_ACTIVE: ReadonlySet<Standing["kind"]> = new Set([
  "on hold",
  "ended",
  "never written",
  "completed",
  "no order",
  "unreadable",
  "unknown status",
]);

/** Why an active one cannot be used. */
const SPENT: Partial<Record<Standing["kind"], string>> = {
  expired: "expired",
  "used up": "no fills left",
  "not yet valid": "not valid yet",
};

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
  const standings = (all: readonly Prescription[]) =>
    all.map((one) => ({ id: one.id, ...standingOf(one, now, timeZone) }));
  const forProduct = standings(prescriptions.filter((one) => isFor(one, codes)));
  if (forProduct.length === 0) {
    return standings(prescriptions).some(({ kind }) => kind === "unreadable")
      ? { kind: "unclear", what: "what it is for" }
      : { kind: "none", why: "none was ever written" };
  }
  const active = forProduct.filter(({ kind }) => !NOT_ACTIVE.has(kind));
  if (active.length === 0) return { kind: "none", why: "none is active" };
  const valid = active.filter((one) => one.kind === "valid")
    .toSorted((a, b) => a.until.getTime() - b.until.getTime());
  if (valid.length > 0) return { kind: "valid", prescriptionIds: valid.map(({ id }) => id) };
  const unclear = active.find((one) => one.kind === "unclear");
  if (unclear) return { kind: "unclear", what: unclear.what };
  const spent = active.flatMap(({ kind }) => SPENT[kind] ?? []);
  return { kind: "none", why: [...new Set(spent)].sort().join(", ") };
}
