import { describe, expect, test } from "vitest";
import { sortByProduct } from "../../src/shared/prescriptions/by-product.ts";
import { coverageOf } from "../../src/shared/prescriptions/coverage.ts";
import { judgeFirst } from "../../src/shared/prescriptions/first.ts";
import { judgePrescriptions } from "../../src/shared/prescriptions/judge.ts";
import { isActive, standingOf } from "../../src/shared/prescriptions/standing.ts";
import { prescription, type Written } from "./support.ts";

const NOW = new Date("2026-12-07T20:00:00Z");
const ZONE = "America/New_York";
const standing = (changes: Partial<Written>, now = NOW, zone = ZONE) =>
  standingOf(prescription(changes), now, zone);
const kind = (changes: Partial<Written>, now = NOW, zone = ZONE) => standing(changes, now, zone).kind;

describe("what FHIR's words say", () => {
  test.each([
    ["active", "valid"],
    ["on-hold", "on hold"],
    ["cancelled", "ended"],
    ["stopped", "ended"],
    ["draft", "never written"],
    ["entered-in-error", "never written"],
    ["completed", "completed"],
    ["unknown", "unknown status"],
    ["of-a-later-version", "unknown status"],
  ])("%s is %s", (status, expected) => {
    expect(kind({ status })).toBe(expected);
    expect(isActive(prescription({ status }))).toBe(status === "active");
  });

  test("only an order to give is one, whatever its status", () => {
    for (const intent of ["plan", "proposal", "original-order", "reflex-order", "option", "unreadable"]) {
      expect(kind({ intent }), intent).toBe("no order");
    }
    expect(kind({ doNotPerform: true })).toBe("no order");
    expect(kind({ doNotPerform: true, status: "stopped" })).toBe("no order");
  });

  test("one that cannot be read may be anything", () => {
    expect(standingOf({ ...prescription(), fhir: null }, NOW, ZONE)).toEqual({ kind: "unreadable" });
  });
});

describe("what its dates and fills say", () => {
  test("the last day ends in the zone", () => {
    const last = { validUntil: "2026-12-07" };
    expect(kind(last, new Date("2026-12-08T04:59:59Z"))).toBe("valid");
    expect(kind(last, new Date("2026-12-08T05:00:00Z"))).toBe("expired");
    expect(kind(last, new Date("2026-12-07T10:59:59Z"), "Pacific/Auckland")).toBe("valid");
    expect(kind(last, new Date("2026-12-07T11:00:00Z"), "Pacific/Auckland")).toBe("expired");
  });

  test("the first day begins in the zone", () => {
    const first = { validFrom: "2026-12-08" };
    expect(kind(first, new Date("2026-12-08T04:59:59Z"))).toBe("not yet valid");
    expect(kind(first, new Date("2026-12-08T05:00:00Z"))).toBe("valid");
    expect(kind(first, new Date("2026-12-07T10:59:59Z"), "Pacific/Auckland")).toBe("not yet valid");
    expect(kind(first, new Date("2026-12-07T11:00:00Z"), "Pacific/Auckland")).toBe("valid");
  });

  test("a fill that may be gone counts as gone, and the last one is for a person", () => {
    expect(standing({ uncertainFills: 2 })).toMatchObject({ kind: "valid", fillsLeft: 8 });
    expect(kind({ fillsDispensed: 12 })).toBe("used up");
    expect(standing({ uncertainFills: 10 })).toEqual({
      kind: "unclear",
      what: "the prescription of a recorded fill",
    });
  });

  test("unknown never counts as valid", () => {
    const what = { validUntil: null, fillsAllowed: null, validFrom: "soon" };
    expect(standing(what)).toEqual({ kind: "unclear", what: "the first day it is valid" });
    expect(standing({ ...what, validFrom: null })).toMatchObject({ what: "the last day it is valid" });
    expect(standing({ fillsAllowed: null })).toMatchObject({ what: "the number of fills" });
    expect(standing({ fillsDispensed: null })).toMatchObject({ what: "the number of fills" });
    expect(kind({ daysSupply: null })).toBe("valid");
    expect(standing({ validFrom: "2027", validUntil: null })).toMatchObject({
      kind: "not yet valid",
      then: { kind: "unclear" },
    });
  });
});

/** Where the three who ask do not agree, their answers are held here until a policy makes them one. */
describe("who asks, and what they make of it", () => {
  const codes = new Set(["1"]);
  const demand = {
    waiting: [],
    nextCharge: new Date("2026-12-20T12:00:00Z"),
    interval: "month",
    intervalCount: 1,
    fillsPerCharge: 1,
  } as const;
  const answers = (changes: Partial<Written>) => {
    const one = prescription({ validUntil: "2027-12-07", ...changes });
    const order = judgePrescriptions([one], codes, NOW, ZONE);
    const coverage = coverageOf([one], codes, demand, [], NOW, ZONE);
    return [
      order.kind === "none" ? order.why : order.kind,
      judgeFirst([one], NOW, ZONE, NOW).kind,
      coverage.kind === "spent" ? coverage.cause : coverage.kind,
      sortByProduct([one], new Map(), NOW, ZONE).unknown.length,
    ];
  };

  test.each<[string, Partial<Written>, ReturnType<typeof answers>]>([
    ["active", {}, ["valid", "valid", "covered", 1]],
    ["on hold", { status: "on-hold" }, ["none is active", "none", "none", 0]],
    ["cancelled", { status: "cancelled" }, ["none is active", "none", "none", 0]],
    ["a draft", { status: "draft" }, ["none is active", "none", "none", 0]],
    ["completed", { status: "completed" }, ["none is active", "none", "NO_FILLS_LEFT", 0]],
    ["completed and over", { status: "completed", validUntil: "2026-12-01" }, [
      "none is active",
      "none",
      "EXPIRED",
      0,
    ]],
    ["of an unknown status", { status: "unknown" }, ["none is active", "unclear", "unclear", 1]],
    ["of an unknown status and over", { status: "unknown", validUntil: "2026-12-01" }, [
      "none is active",
      "unclear",
      "unclear",
      0,
    ]],
    ["expired", { validUntil: "2026-12-01" }, ["one has expired", "none", "EXPIRED", 0]],
    ["used up", { fillsDispensed: 12 }, ["one has no fills left", "none", "NO_FILLS_LEFT", 0]],
    ["not valid yet", { validFrom: "2026-12-10" }, ["one is not valid yet", "later", "covered", 1]],
    ["not valid yet, and without an end", { validFrom: "2026-12-10", validUntil: null }, [
      "one is not valid yet",
      "later",
      "unclear",
      1,
    ]],
    ["without days' supply", { daysSupply: null }, ["valid", "unclear", "unclear", 1]],
    ["a plan", { intent: "plan" }, ["none is active", "none", "none", 0]],
  ])("%s", (_name, changes, expected) => {
    expect(answers(changes)).toEqual(expected);
  });

  test("one that cannot be read beside one that is over", () => {
    const all = [prescription({ fillsDispensed: 12 }), { ...prescription({ codes: [] }), fhir: null }];
    expect(judgePrescriptions(all, codes, NOW, ZONE)).toEqual({ kind: "none", why: "one has no fills left" });
    expect(coverageOf(all, codes, demand, [], NOW, ZONE).kind).toBe("unclear");
  });
});
