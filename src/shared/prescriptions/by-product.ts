import { pharmacyZone } from "../queue/settings.ts";
import type { StepContext } from "../queue/step.ts";
import { productsByKey } from "../registry/prices.ts";
import { VendorError } from "../vendors/contract.ts";
import type { Prescription } from "../vendors/health.ts";
import { type Standing, standingOf } from "./standing.ts";

export const RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm";

/** A customer's prescriptions by product. */
export interface ByProduct {
  /** Orders to give a drug, by the product's id. */
  byProduct: ReadonlyMap<number, Prescription[]>;
  /** Prescriptions that could be filled and are for no product of ours. `why` without a medical fact. */
  unknown: { prescriptionId: string; why: string }[];
}

/**
 * A patient's present prescriptions at the health record, with every fill counted, by product. Two calls. None for a
 * patient whom the record does not know.
 */
export async function readPrescriptions(
  ctx: StepContext,
  patientId: string,
): Promise<ByProduct & { timeZone: string }> {
  const timeZone = await pharmacyZone(ctx.deps.db);
  const prescriptions = await ctx.vendors.health.listPrescriptions(patientId).catch(noneOfUnknown);
  const products = await productsByKey(ctx.deps.db, "rxnorm", prescriptions.flatMap(codesOf));
  return { ...sortByProduct(prescriptions, products, ctx.now(), timeZone), timeZone };
}

function noneOfUnknown(error: unknown): Prescription[] {
  const { status, code } = error instanceof VendorError ? error.details : {};
  if (status === 404 || status === 410 || code === "bad_id") return [];
  throw error;
}

function codesOf({ codes }: Prescription): string[] {
  return codes.filter(({ system }) => system === RXNORM).map(({ code }) => code);
}

/** True for a prescription under one of a product's RxNorm codes. */
export function isFor(prescription: Prescription, codes: ReadonlySet<string>): boolean {
  return codesOf(prescription).some((code) => codes.has(code));
}

/** Nothing can be filled under these, so nobody needs to know their product. */
const OVER: ReadonlySet<Standing["kind"]> = new Set([
  "on hold",
  "ended",
  "never written",
  "completed",
  "expired",
  "used up",
]);

/**
 * Plans, proposals and orders not to give a drug are no prescriptions.
 * @param products by RxNorm code
 */
export function sortByProduct(
  prescriptions: readonly Prescription[],
  products: ReadonlyMap<string, number>,
  now: Date,
  timeZone: string,
): ByProduct {
  const byProduct = new Map<number, Prescription[]>();
  const unknown: ByProduct["unknown"] = [];
  for (const prescription of prescriptions) {
    const standing = standingOf(prescription, now, timeZone);
    if (standing.kind === "no order") continue;
    const [product, another] = new Set(codesOf(prescription).flatMap((code) => products.get(code) ?? []));
    if (product !== undefined && another === undefined) {
      byProduct.set(product, [...(byProduct.get(product) ?? []), prescription]);
      continue;
    }
    const { kind } = standing.kind === "unknown status" ? standing.dates : standing;
    if (OVER.has(kind)) continue;
    const why = whyUnknown(prescription, standing, another !== undefined);
    unknown.push({ prescriptionId: prescription.id, why });
  }
  return { byProduct, unknown };
}

function whyUnknown(prescription: Prescription, { kind }: Standing, isAmbiguous: boolean): string {
  if (kind === "unreadable") return "it cannot be read";
  if (isAmbiguous) return "its codes stand for more than one product";
  return codesOf(prescription).length === 0
    ? "it has no RxNorm code"
    : "its RxNorm code is in no row of registry.product_keys";
}
