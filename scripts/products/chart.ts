import { line, picture, rect, type Style, text } from "../picture.ts";
import { type KeyFrequency, signed } from "./frequency.ts";

// Horizontal bars, one a key, grouped by product.

const WIDTH = 900;
const MARGIN = 28;
const BAR_LEFT = 286;
const BAR_RIGHT = 680;
/** Where the changes against former nights end. */
const CHANGES = [WIDTH - MARGIN - 72, WIDTH - MARGIN] as const;
const ROW = 27;
const BAR = 15;
const GROUP_GAP = 16;
const SYSTEMS: Record<string, { title: string; unit: string }> = {
  stripe_price: { title: "Subscriptions by Stripe price", unit: "subscriptions" },
  pharmacy_treatment: { title: "Active prescriptions by treatment at the pharmacy", unit: "prescriptions" },
};

const STYLE: Style = {
  light: `
  .section { font-size: 14px; font-weight: 600 }
  .key { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px }
  .value { font-variant-numeric: tabular-nums; paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .grid { stroke: #d8dee4 }
  .registered { fill: #1f6feb } .retired { fill: #bf8700 } .unregistered { fill: #cf222e }
  .paused { opacity: .38 }`,
  dark: `
    .value { stroke: #0d1117 }
    .grid { stroke: #262c36 }
    .registered { fill: #4493f8 } .retired { fill: #d29922 } .unregistered { fill: #f85149 }`,
};

/** @param subtitle the owner of the keys, and the day of the count */
export function frequencyChart(rows: readonly KeyFrequency[], subtitle: string): string {
  const parts = [
    text(MARGIN, 42, "What is really in use", "title"),
    text(MARGIN, 63, subtitle, "soft"),
    ...legend(44),
  ];
  let y = 88;
  for (const [system, { title, unit }] of Object.entries(SYSTEMS)) {
    const ofSystem = rows.filter((row) => row.system === system);
    if (ofSystem.length === 0) continue;
    const section = drawSection(y, title, unit, ofSystem);
    parts.push(...section.parts);
    y = section.bottom;
  }
  return picture(
    WIDTH,
    y + 6,
    "What is really in use at Stripe and at the pharmacy, by product",
    STYLE,
    parts,
  );
}

function legend(y: number): string[] {
  const entries = [
    ["registered", "registered", 86],
    ["retired", "retired", 64],
    ["unregistered", "in no product", 100],
    ["registered paused", "paused", 50],
  ] as const;
  let x = WIDTH - MARGIN - entries.reduce((sum, [, , width]) => sum + width + 20, 0) + 10;
  return entries.flatMap(([classes, label, width]) => {
    const left = x;
    x += width + 20;
    return [rect(left, y - 10, 11, 11, classes), text(left + 17, y, label, "note")];
  });
}

function drawSection(top: number, title: string, unit: string, rows: readonly KeyFrequency[]) {
  const most = Math.max(1, ...rows.map((row) => (row.inUse ?? 0) + (row.paused ?? 0)));
  const step = niceStep(most);
  const end = Math.ceil(most / step) * step;
  const scale = (value: number) => ((BAR_RIGHT - BAR_LEFT) * value) / end;
  let y = top + 22;
  const gridFrom = y + 16;
  const heads = [
    text(MARGIN, y, title, "section"),
    text(CHANGES[0], y, "7 nights", "note", "end"),
    text(CHANGES[1], y, "30 nights", "note", "end"),
  ];
  const bars: string[] = [];
  for (const [product, ofProduct] of Map.groupBy(rows, (row) => row.product ?? "In no product")) {
    y += GROUP_GAP + 14;
    bars.push(text(MARGIN, y, shortened(product, 34), "strong"));
    for (const row of ofProduct) {
      y += ROW;
      bars.push(...drawBar(y, row, scale, unit));
    }
  }
  y += 14;
  const grid: string[] = [];
  for (let value = 0; value <= end; value += step) {
    const x = BAR_LEFT + scale(value);
    grid.push(line(x, gridFrom, x, y, value === 0 ? "base" : "grid"));
    grid.push(text(x, y + 17, value.toLocaleString("en-US"), "note", "middle"));
  }
  return { parts: [...heads, ...grid, ...bars], bottom: y + 30 };
}

function drawBar(y: number, row: KeyFrequency, scale: (value: number) => number, unit: string): string[] {
  const { inUse, paused } = row;
  const key = text(MARGIN + 14, y, shortened(row.key, 32), "key");
  if (inUse === null || paused === null) return [key, text(BAR_LEFT + 8, y, "not counted yet", "note")];
  const [wide, pausedWide] = [scale(inUse), scale(paused)];
  const title = `${row.key}: ${inUse} ${unit}${paused > 0 ? `, ${paused} more paused` : ""} (${row.state})`;
  const label = inUse.toLocaleString("en-US") +
    (paused > 0 ? ` + ${paused.toLocaleString("en-US")} paused` : "");
  return [
    key,
    rect(BAR_LEFT, y - BAR + 3, wide, BAR, row.state, { title }),
    rect(BAR_LEFT + wide, y - BAR + 3, pausedWide, BAR, `${row.state} paused`, { title }),
    text(BAR_LEFT + wide + pausedWide + 8, y, label, inUse + paused > 0 ? "value" : "soft"),
    ...[row.change7Nights, row.change30Nights].map((change, index) => {
      const words = change === null ? "–" : change === 0 ? "±0" : signed(change).replace("-", "−");
      return text(CHANGES[index] ?? WIDTH, y, words, "note value", "end");
    }),
  ];
}

/** 1, 2 or 5 times a power of ten: about four to six lines. */
export function niceStep(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].find((factor) => most / (factor * power) <= 5) ?? 10;
  return Math.max(1, step * power);
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
