import { z } from "zod";
import { type Day, isDay } from "../day.ts";
import type { Prescription } from "../vendors/health.ts";
import { isFor } from "./by-product.ts";
import type { AtPharmacy } from "./coverage.ts";
import { endOf } from "./dates.ts";
import { type Standing, standingOf } from "./standing.ts";

/** A part that is absent was not known, and limits nothing. */
const limitsSchema = z.object({
  /** All fills, the first one included. */
  fills: z.number().optional(),
  /** The last instant, ISO 8601. */
  until: z.iso.datetime().optional(),
  /** The same of the pharmacy's copy. */
  copy_fills: z.number().optional(),
  copy_last_day: z.custom<Day>((day) => typeof day === "string" && isDay(day)).optional(),
});
const allLimitsSchema = z.record(z.string(), limitsSchema);

/** The limits of a product's prescriptions at one moment, by the health record's id. */
export type Limits = z.output<typeof allLimitsSchema>;

/** @throws {z.ZodError} for something else than limits: they are written by {@link limitsOf} alone */
export function readLimits(stored: unknown): Limits {
  return allLimitsSchema.parse(stored);
}

/** Nothing can be filled under these. Whatever makes one of them usable is the act of a prescriber. */
const NOT_IN_USE: ReadonlySet<Standing["kind"]> = new Set([
  "on hold",
  "ended",
  "never written",
  "no order",
  "unreadable",
  "unknown status",
]);

/** The present limits. A prescription with an unknown term is left out: it counts as new once somebody completes it. */
export function limitsOf(
  prescriptions: readonly Prescription[],
  codes: ReadonlySet<string>,
  atPharmacy: ReadonlyMap<string, AtPharmacy>,
  now: Date,
  timeZone: string,
): Limits {
  const limits: Limits = {};
  for (const prescription of prescriptions.filter((one) => isFor(one, codes))) {
    const { id, fillsAllowed, daysSupply } = prescription;
    const until = endOf(prescription.validUntil, timeZone);
    if (fillsAllowed === null || until === null || daysSupply === null) continue;
    if (NOT_IN_USE.has(standingOf(prescription, now, timeZone).kind)) continue;
    const copy = atPharmacy.get(id);
    limits[id] = {
      fills: fillsAllowed,
      until: until.toISOString(),
      ...(copy && copy.allowed !== null ? { copy_fills: copy.allowed } : {}),
      ...(copy?.lastDay ? { copy_last_day: copy.lastDay } : {}),
    };
  }
  return limits;
}

/**
 * The present prescriptions without the fills and the time that came after `limits`, and without those that are not in
 * them. Used fills stay used.
 */
export function withinLimits(
  prescriptions: readonly Prescription[],
  atPharmacy: ReadonlyMap<string, AtPharmacy>,
  limits: Limits,
  timeZone: string,
): { prescriptions: Prescription[]; atPharmacy: Map<string, AtPharmacy> } {
  const copies = new Map<string, AtPharmacy>();
  const limited = prescriptions.flatMap((prescription): Prescription[] => {
    const { id, fillsAllowed } = prescription;
    const limit = limits[id];
    if (!limit) return [];
    const copy = atPharmacy.get(id);
    if (copy) copies.set(id, limitCopy(copy, limit));
    const { fills = Infinity, until } = limit;
    const last = until === undefined ? null : new Date(until);
    const present = endOf(prescription.validUntil, timeZone);
    return [{
      ...prescription,
      fillsAllowed: fillsAllowed === null ? null : Math.min(fillsAllowed, fills),
      validUntil: last && present && last < present ? { kind: "instant", at: last } : prescription.validUntil,
    }];
  });
  return { prescriptions: limited, atPharmacy: copies };
}

function limitCopy(copy: AtPharmacy, { copy_fills, copy_last_day }: Limits[string]): AtPharmacy {
  const { left, allowed, lastDay } = copy;
  const added = allowed === null || copy_fills === undefined ? 0 : Math.max(0, allowed - copy_fills);
  return {
    allowed,
    left: left === null ? null : Math.max(0, left - added),
    lastDay: lastDay && copy_last_day && copy_last_day < lastDay ? copy_last_day : lastDay,
  };
}
