import { describe, expect, test } from "vitest";
import { FIRST_WITHIN_DAYS, judgeFirst } from "../../src/shared/prescriptions/first.ts";
import { RXNORM, sortByProduct } from "../../src/shared/prescriptions/by-product.ts";
import type { Prescription } from "../../src/shared/vendors/health.ts";
import { prescription as written, type Written } from "./support.ts";

const NOW = new Date("2026-12-01T12:00:00Z");
const ZONE = "America/New_York";
const daysAgo = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString();

function prescription(id: string, more: Partial<Written> = {}): Prescription {
  return written({
    id,
    writtenOn: daysAgo(0),
    validFrom: null,
    validUntil: "2027-11-30",
    fillsDispensed: 0,
    lastDispensedOn: null,
    ...more,
  });
}

const judge = (...orders: Prescription[]) => judgeFirst(orders, NOW, ZONE, NOW);

describe("a first prescription", () => {
  test("is one that can be filled now; of several the newest", () => {
    expect(judge(prescription("a"))).toEqual({ kind: "valid", prescriptionId: "a", notFirst: null });
    const pair = [prescription("old", { writtenOn: daysAgo(2) }), prescription("new")];
    for (const orders of [pair, pair.toReversed()]) {
      expect(judge(...orders)).toEqual({ kind: "valid", prescriptionId: "new", notFirst: null });
    }
  });

  test("is still the first when another was cancelled a little earlier", () => {
    const wrong = prescription("wrong", { status: "cancelled", writtenOn: daysAgo(FIRST_WITHIN_DAYS - 1) });
    expect(judge(wrong, prescription("right"))).toMatchObject({ notFirst: null });
  });

  test.each([
    ["was filled itself", prescription("b", { fillsDispensed: 1 })],
    ["comes after one that was filled", prescription("a", { status: "completed", fillsDispensed: 1 })],
    [
      "comes after an older one",
      prescription("a", { status: "stopped", writtenOn: daysAgo(FIRST_WITHIN_DAYS + 1) }),
    ],
    ["comes after one of an unknown day", prescription("a", { status: "completed", writtenOn: null })],
    ["comes after one of a day that is none", prescription("a", { writtenOn: "2026-13-45" })],
  ])("is none when it %s", (_name, other) => {
    expect(judge(other, prescription("c"))).toMatchObject({ kind: "valid", notFirst: expect.any(String) });
  });

  test("does not age while the answer is acted on", () => {
    const written = prescription("a", { writtenOn: daysAgo(60) });
    expect(judgeFirst([written], NOW, ZONE, new Date(daysAgo(60)))).toMatchObject({ notFirst: null });
    expect(judge(written)).toMatchObject({
      notFirst: `it was written more than ${FIRST_WITHIN_DAYS} days before we heard of it`,
    });
  });

  test("a mistake or a draft of long ago was never given to anybody", () => {
    for (const status of ["entered-in-error", "draft"]) {
      const before = prescription("a", { status, writtenOn: daysAgo(300) });
      expect(judge(before, prescription("b"))).toMatchObject({ notFirst: null });
    }
  });

  test("what can be filled now goes before what is unclear, and that before what is valid later", () => {
    const unclear = prescription("unclear", { daysSupply: null });
    const later = prescription("later", { validFrom: "2026-12-20" });
    const sooner = prescription("sooner", { validFrom: "2026-12-10" });
    expect(judge(unclear, later, prescription("now"))).toMatchObject({ prescriptionId: "now" });
    expect(judge(later, unclear)).toEqual({
      kind: "unclear",
      prescriptionId: "unclear",
      what: "the days' supply",
    });
    expect(judge(later, sooner)).toEqual({
      kind: "later",
      prescriptionId: "sooner",
      from: new Date("2026-12-10T05:00:00Z"),
    });
  });

  test("what has ended is none", () => {
    const ended = [
      prescription("a", { validUntil: "2026-11-30" }),
      prescription("b", { fillsAllowed: 1, fillsDispensed: 1 }),
      ...["on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft"].map((status) =>
        prescription(status, { status })
      ),
    ];
    for (const one of ended) expect(judge(one)).toEqual({ kind: "none" });
    expect(judge()).toEqual({ kind: "none" });
  });
});

describe("prescriptions by product", () => {
  const products = new Map([["1", 10], ["2", 20]]);
  const sort = (...all: Prescription[]) => sortByProduct(all, products, NOW, ZONE);
  const codes = (...given: string[]) => ({ codes: given.map((code) => ({ system: RXNORM, code })) });

  test("two codes of one product are one product, a code of another system is none", () => {
    const both = prescription("a", {
      codes: [{ system: RXNORM, code: "1" }, { system: RXNORM, code: "7" }, { system: "ndc", code: "2" }],
    });
    expect(sort(both)).toEqual({ byProduct: new Map([[10, [both]]]), unknown: [] });
  });

  test("what could be filled and is for nothing we sell, or for two things, is unknown", () => {
    const { byProduct, unknown } = sort(
      prescription("foreign", codes("9")),
      prescription("bare", codes()),
      prescription("two", codes("1", "2")),
      { ...prescription("unreadable", codes()), fhir: null },
      prescription("later", { ...codes("9"), validFrom: "2027-01-01" }),
      prescription("unclear", { ...codes("9"), validUntil: null }),
    );
    expect(byProduct.size).toBe(0);
    expect(unknown.map(({ prescriptionId }) => prescriptionId))
      .toEqual(["foreign", "bare", "two", "unreadable", "later", "unclear"]);
  });

  test("nobody is asked what an ended one was for, or what is no order", () => {
    const { unknown } = sort(
      prescription("expired", { ...codes("9"), validUntil: "2026-01-01" }),
      prescription("used", { ...codes("9"), fillsAllowed: 1, fillsDispensed: 1 }),
      prescription("cancelled", { ...codes("9"), status: "cancelled" }),
      prescription("plan", { ...codes("9"), intent: "plan" }),
      prescription("never", { ...codes("9"), doNotPerform: true }),
    );
    expect(unknown).toEqual([]);
  });
});
