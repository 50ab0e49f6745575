import { describe, expect, test } from "vitest";
import { type Coverage, coverageOf, type InFlight } from "../../src/shared/prescriptions/coverage.ts";
import type { Demand } from "../../src/shared/prescriptions/demand.ts";
import { RXNORM } from "../../src/shared/prescriptions/by-product.ts";
import type { Prescription } from "../../src/shared/vendors/health.ts";
import { addDays, type Day, dayIn } from "../../src/shared/day.ts";
import { prescription } from "./support.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const ZONE = "America/New_York";
const CODES = new Set(["1"]);

const monthly: Demand = {
  waiting: [],
  nextCharge: new Date("2026-03-10T12:00:00Z"),
  interval: "month",
  intervalCount: 1,
  fillsPerCharge: 1,
};

function cover(
  prescriptions: Prescription[],
  demand: Partial<Demand> = {},
  inFlight: InFlight[] = [],
  left?: number,
  lastDay: Day | null = null,
): Coverage {
  const atPharmacy = new Map(left === undefined ? [] : [["rx1", { allowed: null, left, lastDay }]]);
  return coverageOf(prescriptions, CODES, { ...monthly, ...demand }, inFlight, NOW, ZONE, atPharmacy);
}

const day = (date: Date | null) => date && dayIn(date, "UTC");

/** The earliest of the three dates, and which it is. */
function ends(coverage: Coverage): [string, string | null] {
  return coverage.kind === "covered" || coverage.kind === "spent"
    ? [coverage.cause, day(coverage.dueOn)]
    : [coverage.kind, null];
}

describe("three dates", () => {
  test("the last fill used up, the drug running out and the expiry are told apart", () => {
    const coverage = cover([prescription({ fillsAllowed: 4 })]);
    if (coverage.kind !== "covered") throw new Error(coverage.kind);
    expect(day(coverage.lastFillOn)).toBe("2026-04-10");
    expect(day(coverage.runsOutOn)).toBe("2026-05-10");
    expect(day(coverage.firstUncovered)).toBe("2026-05-10");
    expect(day(coverage.expiresOn)).toBe("2027-01-02");
    expect(coverage.cause).toBe("RUNS_OUT");
  });

  test("fills end before the expiry: due when the last fill's drug is used up", () => {
    expect(ends(cover([prescription({ fillsAllowed: 4, daysSupply: 28 })]))).toEqual([
      "RUNS_OUT",
      "2026-05-08",
    ]);
  });

  test("the expiry comes before the fills are used: due at the end of that day in the pharmacy's zone", () => {
    const coverage = cover([prescription({ validUntil: "2026-03-20" })]);
    expect(ends(coverage)).toEqual(["EXPIRES", "2026-03-21"]);
    expect(coverage.kind === "covered" && coverage.dueOn.toISOString()).toBe("2026-03-21T03:59:59.999Z");
  });

  test("the last day of daylight saving ends an hour later in UTC", () => {
    const coverage = cover([prescription({ validUntil: "2026-03-07" })]);
    expect(coverage.kind === "covered" && coverage.dueOn.toISOString()).toBe("2026-03-08T04:59:59.999Z");
  });

  test("a month that is too short is charged on its last day", () => {
    const coverage = cover([prescription({ fillsAllowed: 4 })], {
      nextCharge: new Date("2026-01-31T12:00:00Z"),
    });
    if (coverage.kind !== "covered") throw new Error(coverage.kind);
    expect(day(coverage.firstUncovered)).toBe("2026-03-31");
  });
});

describe("what is left", () => {
  test("zero fills left is due when the last one is used up", () => {
    expect(ends(cover([prescription({ fillsAllowed: 2 })]))).toEqual(["NO_FILLS_LEFT", "2026-03-10"]);
    expect(ends(cover([prescription({ fillsAllowed: 2, lastDispensedOn: "2026-02-03" })])))
      .toEqual(["NO_FILLS_LEFT", "2026-03-05"]);
  });

  test("an order at the pharmacy has used its fill before the health record counts it", () => {
    const placed = [{ prescriptionId: "rx1", placedAt: NOW }];
    expect(ends(cover([prescription({ fillsAllowed: 3 })], {}, placed))).toEqual([
      "NO_FILLS_LEFT",
      "2026-03-10",
    ]);
  });

  test("fills that are paid for and wait are used first", () => {
    const coverage = cover([prescription({ fillsAllowed: 3 })], {
      waiting: [new Date("2026-02-20T00:00:00Z")],
    });
    expect(ends(coverage)).toEqual(["RUNS_OUT", "2026-03-10"]);
  });

  test("the pharmacy's own count of fills is believed when it is lower", () => {
    expect(ends(cover([prescription()], {}, [], 0))[0]).toBe("NO_FILLS_LEFT");
    expect(ends(cover([prescription({ fillsAllowed: 3 })], {}, [], 9))[0]).toBe(
      "RUNS_OUT",
    );
  });

  test("a fill that is wanted now and can be had tomorrow is no gap; in a week it is one", () => {
    const waiting = { waiting: [NOW] };
    const from = (days: number) => dayIn(addDays(NOW, days, ZONE), ZONE);
    const begins = (days: number) =>
      cover([prescription({ validFrom: from(days), fillsDispensed: 0 })], waiting);
    expect(ends(begins(1))).toEqual(ends(begins(0)));
    expect(ends(begins(7))).toEqual([expect.any(String), day(NOW)]);
  });

  test("the earlier last day of the two copies counts", () => {
    const dayOf = (lastDay: Day) => ends(cover([prescription()], {}, [], 9, lastDay));
    expect(dayOf("2026-03-01")).toEqual(["EXPIRES", "2026-03-02"]);
    expect(dayOf("2026-02-01")[0]).toBe("EXPIRED");
    expect(dayOf("2029-01-01")).toEqual(ends(cover([prescription()], {}, [], 9)));
    // The health record is the owner: an end that it lacks is not made up from a copy.
    expect(cover([prescription({ validUntil: null })], {}, [], 9, "2026-12-01").kind).toBe("unclear");
  });

  test("a fill that the pharmacy counts and the record does not yet is no reason to lapse", () => {
    // The fill of 10 January has run out by the record; the pharmacy has handed out another one since.
    const behind = { lastDispensedOn: "2026-01-10", fillsAllowed: 3 };
    expect(ends(cover([prescription(behind)], {}, [], 0))).toEqual([
      "NO_FILLS_LEFT",
      "2026-03-10",
    ]);
    // Nor beside an older prescription whose end is known.
    const older = prescription({ id: "rx0", validUntil: "2025-12-22" });
    expect(ends(cover([older, prescription(behind)], {}, [], 0))).toEqual(["NO_FILLS_LEFT", "2026-03-10"]);
    const ending = { lastDispensedOn: "2026-01-10", validUntil: "2026-03-08" };
    expect(ends(cover([prescription(ending)], {}, [], 9))).toEqual([
      "EXPIRES",
      "2026-03-09",
    ]);
    // Without the pharmacy's word the record is all there is.
    const soon = { lastDispensedOn: "2026-02-04", validUntil: "2026-03-08" };
    expect(ends(cover([prescription(soon)], {}, []))).toEqual(["EXPIRES", "2026-03-06"]);
    expect(ends(cover([prescription(soon)], {}, [], 9))).toEqual([
      "EXPIRES",
      "2026-03-09",
    ]);
  });

  test("a drug that ran out during a pause, with fills left, is no lapse", () => {
    // Paused over a charge; it expires before the next one, and until then there is time to renew.
    const paused = { lastDispensedOn: "2025-12-01", validUntil: "2026-05-20" };
    const nextCharge = new Date("2026-05-28T12:00:00Z");
    expect(ends(cover([prescription(paused)], { nextCharge, intervalCount: 3 }))).toEqual([
      "EXPIRES",
      "2026-05-21",
    ]);
    // Where the drug lasts longer than from now on, its end counts.
    const lasting = { lastDispensedOn: "2026-02-20", validUntil: "2026-05-20" };
    expect(ends(cover([prescription(lasting)], { nextCharge, intervalCount: 3 }))).toEqual([
      "EXPIRES",
      "2026-03-22",
    ]);
  });

  test("an order whose fill is on record is not counted again, however late its parcel's news", () => {
    const before = [{ prescriptionId: "rx1", placedAt: new Date("2026-02-08T09:00:00Z") }];
    expect(ends(cover([prescription({ fillsAllowed: 3 })], {}, before))).toEqual(["RUNS_OUT", "2026-04-09"]);
    const after = [{ prescriptionId: "rx1", placedAt: new Date("2026-02-11T09:00:00Z") }];
    expect(ends(cover([prescription({ fillsAllowed: 3 })], {}, after))[0]).toBe("NO_FILLS_LEFT");
  });

  test("a quarter that is paid at once uses three fills, a month apart", () => {
    const coverage = cover([prescription({ fillsAllowed: 6 })], { intervalCount: 3, fillsPerCharge: 3 });
    if (coverage.kind !== "covered") throw new Error(coverage.kind);
    expect(day(coverage.lastFillOn)).toBe("2026-06-10");
  });

  test("an expired prescription was due when it expired", () => {
    expect(ends(cover([prescription({ validUntil: "2026-02-01" })]))).toEqual(["EXPIRED", "2026-02-02"]);
  });

  test("one that the health record calls completed has zero fills left", () => {
    expect(ends(cover([prescription({ status: "completed" })]))[0]).toBe("NO_FILLS_LEFT");
  });
});

describe("more than one prescription", () => {
  test("a new prescription takes over when the old one ends, and its end counts", () => {
    const renewed = prescription({
      id: "rx2",
      validUntil: "2027-03-01",
      fillsDispensed: 0,
      lastDispensedOn: null,
    });
    const coverage = cover([prescription({ fillsAllowed: 3 }), renewed]);
    expect(coverage.kind === "covered" && [coverage.prescriptionId, coverage.others]).toEqual(["rx2", 1]);
    expect(ends(coverage)).toEqual(["EXPIRES", "2027-03-02"]);
  });

  test("leftover fills of the one that expires first do not end the other early", () => {
    const old = prescription({ validUntil: "2026-03-15" });
    const renewed = prescription({ id: "rx2", validUntil: "2027-03-01", fillsAllowed: 3, fillsDispensed: 0 });
    const coverage = cover([old, renewed]);
    expect(coverage.kind === "covered" && coverage.prescriptionId).toBe("rx2");
    expect(ends(coverage)).toEqual(["RUNS_OUT", "2026-07-10"]);
  });

  test("a prescription for something else, or that says not to give it, covers nothing", () => {
    const other = prescription({ codes: [{ system: RXNORM, code: "2" }] });
    expect(cover([other])).toEqual({ kind: "none", why: "WRONG_PRODUCT" });
    expect(cover([prescription({ doNotPerform: true })])).toEqual({ kind: "none", why: "NO_PRESCRIPTION" });
    expect(cover([prescription({ status: "stopped" })])).toEqual({ kind: "none", why: "NO_PRESCRIPTION" });
    expect(cover([])).toEqual({ kind: "none", why: "NO_PRESCRIPTION" });
  });
});

describe("unknown never counts as fine", () => {
  test.each([
    ["no expiry", { validUntil: null }, "the last day it is valid"],
    ["an expiry that is a year and month", { validUntil: "2026-09" }, "the last day it is valid"],
    ["no number of repeats", { fillsAllowed: null }, "the number of fills"],
    ["no days' supply", { daysSupply: null }, "the days' supply"],
    ["an unreadable first day", { validFrom: "soon" }, "the first day it is valid"],
  ])("%s", (_name, changes, what) => {
    expect(cover([prescription(changes)])).toEqual({ kind: "unclear", prescriptionId: "rx1", what });
  });

  test("a complete prescription beside an unclear one covers the refill", () => {
    const coverage = cover([prescription({ validUntil: null }), prescription({ id: "rx2" })]);
    expect(coverage.kind === "covered" && coverage.prescriptionId).toBe("rx2");
  });
});
