import { describe, expect, test } from "vitest";
import { addDays, dayIn } from "../../src/shared/day.ts";
import { type AtPharmacy, coverageOf } from "../../src/shared/prescriptions/coverage.ts";
import { type Limits, limitsOf, readLimits, withinLimits } from "../../src/shared/prescriptions/limits.ts";
import type { Prescription } from "../../src/shared/vendors/health.ts";
import { prescription } from "./support.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const ZONE = "America/New_York";
const CODES = new Set(["1"]);
const copyOf = (allowed: number | null, left: number, lastDay: AtPharmacy["lastDay"] = null) =>
  new Map([["rx1", { allowed, left, lastDay }]]);

const limitsNow = (all: Prescription[], copies: ReadonlyMap<string, AtPharmacy> = new Map()) =>
  limitsOf(all, CODES, copies, NOW, ZONE);

/** The due day under these limits, with a monthly demand that begins on 10 March. */
function due(all: Prescription[], limits: Limits, copies: ReadonlyMap<string, AtPharmacy> = new Map()) {
  const former = withinLimits(all, copies, limits, ZONE);
  const demand = {
    waiting: [],
    nextCharge: new Date("2026-03-10T12:00:00Z"),
    interval: "month" as const,
    intervalCount: 1,
    fillsPerCharge: 1,
  };
  const coverage = coverageOf(former.prescriptions, CODES, demand, [], NOW, ZONE, former.atPharmacy);
  return "dueOn" in coverage ? dayIn(coverage.dueOn, "UTC") : coverage.kind;
}

const rx = prescription({ fillsAllowed: 4, validUntil: "2026-12-31" });

describe("limits", () => {
  test("are the fills and the last instant, of the health record and of the pharmacy's copy", () => {
    const until = "2027-01-01T04:59:59.999Z";
    expect(limitsNow([rx])).toEqual({ rx1: { fills: 4, until } });
    const limits = limitsNow([rx], copyOf(3, 2, "2026-11-30"));
    expect(limits).toEqual({ rx1: { fills: 4, until, copy_fills: 3, copy_last_day: "2026-11-30" } });
    expect(readLimits(JSON.parse(JSON.stringify(limits)))).toEqual(limits);
    expect(limitsNow([rx], copyOf(null, 2))).toEqual({ rx1: { fills: 4, until } });
  });

  test.each(["on-hold", "stopped", "draft", "entered-in-error", "dreaming"])(
    "are none of a prescription that is %s",
    (status) => expect(limitsNow([prescription({ status })])).toEqual({}),
  );

  test("are none of one with an unknown term, and of one for another product", () => {
    expect(limitsNow([prescription({ fillsAllowed: null }), prescription({ validUntil: null })])).toEqual({});
    expect(limitsNow([prescription({ daysSupply: null })])).toEqual({});
    expect(limitsOf([rx], new Set(["2"]), new Map(), NOW, ZONE)).toEqual({});
  });
});

describe("within its limits", () => {
  const limits = limitsNow([rx], copyOf(4, 1));
  const then = due([rx], limits);

  test("a prescription that got nothing is due as it is", () => {
    expect(then).toBe("2026-05-10");
    expect(due([rx], {})).toBe("none");
  });

  test("fills and time that were added count for nothing, there and at the pharmacy", () => {
    expect(due([{ ...rx, fillsAllowed: 12 }], limits)).toBe(then);
    const short = prescription({ fillsAllowed: 12, validUntil: "2026-03-20" });
    const longer = { ...short, validUntil: { kind: "instant" as const, at: addDays(NOW, 300, ZONE) } };
    expect(due([longer], limitsNow([short]))).toBe(due([short], limitsNow([short])));
    expect(due([rx], limits, copyOf(12, 9))).toBe(due([rx], limits, copyOf(4, 1)));
    const byCopy = limitsNow([rx], copyOf(4, 3, "2026-03-20"));
    expect(due([rx], byCopy, copyOf(4, 3, "2026-12-31"))).toBe("2026-03-21");
  });

  test("another prescription counts for nothing, and a used fill is used", () => {
    expect(due([rx, { ...rx, id: "rx2", fillsAllowed: 12 }], limits)).toBe(then);
    expect(due([{ ...rx, fillsDispensed: 3 }], limits) < then).toBe(true);
  });

  test("limits of which nothing is known limit nothing", () => {
    expect(due([{ ...rx, fillsAllowed: 5 }], { rx1: {} })).toBe("2026-06-09");
  });
});
