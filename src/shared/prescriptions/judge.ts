import type { Prescription } from "../vendors/health.ts";
import { isFor } from "./by-product.ts";
import { type Standing, standingOf } from "./standing.ts";

/** Whether an order for one product can be filled on one day. */
type PrescriptionVerdict =
  /** All usable prescriptions, the one that expires first at the head. */
  | { kind: "valid"; prescriptionIds: string[] }
  /** None is usable; `why` as a clause without a medical fact. */
  | { kind: "none"; why: string }
  /** One might be valid, but `what` is missing: unknown never counts as valid. */
  | { kind: "unclear"; what: string };

/** Standings of a prescription that nobody calls active, an unknown status among them. */
const NOT_ACTIVE: ReadonlySet<Standing["kind"]> = new Set([
  "on hold",
  "ended",
  "never written",
  "completed",
  "no order",
  "unreadable",
  "unknown status",
]);

/** Why an active prescription cannot be used. */
const WHY_UNUSABLE: Partial<Record<Standing["kind"], string>> = {
  expired: "one has expired",
  "used up": "one has no fills left",
  "not yet valid": "one is not valid yet",
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
      ? { kind: "unclear", what: "its drug" }
      : { kind: "none", why: "none was ever written" };
  }
  const active = forProduct.filter(({ kind }) => !NOT_ACTIVE.has(kind));
  if (active.length === 0) return { kind: "none", why: "none is active" };
  const valid = active.filter((one) => one.kind === "valid")
    .toSorted((a, b) => a.until.getTime() - b.until.getTime());
  if (valid.length > 0) return { kind: "valid", prescriptionIds: valid.map(({ id }) => id) };
  const unclear = active.find((one) => one.kind === "unclear");
  if (unclear) return { kind: "unclear", what: unclear.what };
  const why = new Set(active.flatMap(({ kind }) => WHY_UNUSABLE[kind] ?? []));
  return { kind: "none", why: [...why].sort().join(", ") };
}
