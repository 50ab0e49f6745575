import { describe, expect, test } from "vitest";
import { frequencyChart, niceStep } from "../../scripts/products/chart.ts";
import { frequencyTable, type KeyFrequency } from "../../scripts/products/frequency.ts";
import { progressBar } from "../../scripts/products/follow.ts";
import { RETIRE } from "../../scripts/products/options.ts";
import { parseLocalEnv } from "../../scripts/products/settings.ts";

const row = (more: Partial<KeyFrequency> = {}): KeyFrequency => ({
  product: "Morning tablets",
  system: "stripe_price",
  key: "price_a",
  state: "registered",
  inUse: 10,
  paused: 2,
  change7Nights: 1,
  change30Nights: null,
  whatToDo: "Nothing.",
  countedAt: new Date("2027-01-01"),
  ...more,
});

/** Throws where a tag is left open or closed twice, or an ampersand is bare. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  expect(svg).not.toMatch(/&(?!(amp|lt|gt|quot);)/);
  for (const [, closing, name = "", empty] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (closing) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name);
  }
  expect(open).toEqual([]);
}

const barsOf = (svg: string, look: string) =>
  [...svg.matchAll(/<rect class="([a-z ]+)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="15"/g)]
    .filter(([, found]) => found === look).map(([, , x, width]) => [Number(x), Number(width)]);

describe("the picture", () => {
  test("has a bar as long as the count, what is paused behind it, and the colour of its state", () => {
    const svg = frequencyChart([
      row(),
      row({ key: "price_b", inUse: 20, paused: 0 }),
      row({ key: "price_c", state: "retired", inUse: 5, paused: 0 }),
      row({ key: "price_d", state: "unregistered", product: null, inUse: 1, paused: 0 }),
      row({ key: "med_1", system: "pharmacy_treatment", inUse: 1000, paused: 0 }),
    ], "Of the test");
    expectWellFormed(svg);
    const [first, second] = barsOf(svg, "registered");
    expect(second?.[1]).toBeCloseTo(Number(first?.[1]) * 2, 0);
    const [behind] = barsOf(svg, "registered paused");
    expect(behind?.[0]).toBeCloseTo(Number(first?.[0]) + Number(first?.[1]), 0);
    expect([barsOf(svg, "retired").length, barsOf(svg, "unregistered").length]).toEqual([1, 1]);
    for (const text of ["In no product", "Morning tablets", "10 + 2 paused", "1,000", "Of the test"]) {
      expect(svg).toContain(`>${text}<`);
    }
  });

  test("is a picture all the same with nothing in it, nothing counted, and names that are no XML", () => {
    expectWellFormed(frequencyChart([], "Of nobody"));
    const svg = frequencyChart([
      row({ inUse: null, paused: null, change7Nights: null }),
      row({ product: `<b>"A" & 'B'</b>\u0000\uD800${"x".repeat(60)}`, key: "0", inUse: 0, paused: 0 }),
    ], "<script>");
    expectWellFormed(svg);
    expect(svg).toContain(">not counted yet<");
    expect(svg).not.toMatch(/<script|<b>/);
    expect(svg.isWellFormed() && !svg.includes("\u0000")).toBe(true);
  });

  test("has between two and six lines of a scale, whole numbers", () => {
    for (const most of [1, 2, 3, 4, 7, 12, 99, 101, 2500, 123_456]) {
      const step = niceStep(most);
      expect(Number.isInteger(step) && most / step <= 5.01, String(most)).toBe(true);
    }
  });
});

test("the table says the same", () => {
  const text = frequencyTable([row(), row({ product: null, key: "price_secret", state: "unregistered" })]);
  expect(text.split("\n")).toHaveLength(4);
  expect(text).toMatch(/Morning tablets +price_a +registered +10 +2 +\+1 +Nothing\./);
  expect(text).toMatch(/— +price_secret +unregistered/);
});

test("the bar is empty at first and full at the end", () => {
  expect(progressBar(0, 4, 4)).toBe("░░░░  0 of 4");
  expect(progressBar(3, 4, 4)).toBe("███░  3 of 4");
  expect(progressBar(4, 4, 4)).toBe("████  4 of 4");
});

describe("what is typed", () => {
  test("two prices, and how", () => {
    expect(RETIRE.parse(["price_a", "price_b", "--limit", "5", "--pace", "0.5"])).toEqual({
      from: "price_a",
      to: "price_b",
      apply: false,
      limit: 5,
      pace: 0.5,
      json: false,
    });
  });

  test.each([
    [[], /Two prices/],
    [["price_a"], /Two prices/],
    [["a", "b", "c"], /Two prices/],
    [["a", "b; drop"], /not a price/],
    [["a", "b", "--limit", "0"], /--limit/],
    [["a", "b", "--pace", "0"], /--pace/],
    [["a", "b", "--pace", "21"], /--pace/],
    [["a", "b", "--force"], /--force/],
  ])("%j is refused", (args, sentence) => {
    expect(() => RETIRE.parse(args)).toThrow(sentence);
  });

  test("the local stack's file is read as a shell reads it", () => {
    expect(parseLocalEnv(`# Of the running stack\nA='1 2'\nB='it'\\''s'\nnothing\n`)).toEqual({
      A: "1 2",
      B: "it's",
    });
  });
});
