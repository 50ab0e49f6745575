import { escaped } from "../picture.ts";
import { type KeyFrequency, signed } from "./frequency.ts";

// A picture of its own making: horizontal bars, one a key, grouped by product. It has a card of its own to stand on, in
// light and in dark, so that it can be read wherever it is shown.

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

const STYLE = `
  .card { fill: #ffffff; stroke: #d0d7de }
  text { font-family: -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328 }
  .title { font-size: 18px; font-weight: 600 }
  .section { font-size: 14px; font-weight: 600 }
  .product { font-size: 13px; font-weight: 600 }
  .soft, .note { fill: #59636e }
  .note { font-size: 12px }
  .key { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px }
  .value { font-variant-numeric: tabular-nums; paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .base { stroke: #818b98; stroke-width: 1 }
  .registered { fill: #1f6feb } .retired { fill: #bf8700 } .unregistered { fill: #cf222e }
  .paused { opacity: .38 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .soft, .note { fill: #9198a1 }
    .value { stroke: #0d1117 }
    .grid { stroke: #262c36 } .base { stroke: #656c76 }
    .registered { fill: #4493f8 } .retired { fill: #d29922 } .unregistered { fill: #f85149 }
  }`;

/** @param of under the title, e.g. when it was counted */
export function frequencyChart(rows: readonly KeyFrequency[], of: string): string {
  const canvas = new Canvas();
  canvas.text(MARGIN, 42, "What is really in use", "title");
  canvas.text(MARGIN, 63, of, "soft");
  legend(canvas, 44);
  let y = 88;
  for (const [system, { title, unit }] of Object.entries(SYSTEMS)) {
    const ofSystem = rows.filter((row) => row.system === system);
    if (ofSystem.length > 0) y = section(canvas, y, title, unit, ofSystem);
  }
  return canvas.finish(y + 6);
}

function legend(canvas: Canvas, y: number): void {
  const parts = [
    ["registered", "registered", 86],
    ["retired", "retired", 64],
    ["unregistered", "in no product", 100],
    ["registered paused", "paused", 50],
  ] as const;
  let x = WIDTH - MARGIN - parts.reduce((sum, [, , width]) => sum + width + 20, 0) + 10;
  for (const [look, label, width] of parts) {
    canvas.rect(x, y - 10, 11, 11, look);
    canvas.text(x + 17, y, label, "note");
    x += width + 20;
  }
}

function section(
  canvas: Canvas,
  top: number,
  title: string,
  unit: string,
  rows: readonly KeyFrequency[],
): number {
  let y = top + 22;
  canvas.text(MARGIN, y, title, "section");
  canvas.text(CHANGES[0], y, "7 nights", "note", "end");
  canvas.text(CHANGES[1], y, "30 nights", "note", "end");
  const most = Math.max(1, ...rows.map((row) => (row.inUse ?? 0) + (row.paused ?? 0)));
  const step = niceStep(most);
  const end = Math.ceil(most / step) * step;
  const scale = (value: number) => ((BAR_RIGHT - BAR_LEFT) * value) / end;
  const gridFrom = y + 16;
  const lines = canvas.reserve();
  for (const [product, ofProduct] of Map.groupBy(rows, (row) => row.product ?? "In no product")) {
    y += GROUP_GAP + 14;
    canvas.text(MARGIN, y, shortened(product, 34), "product");
    for (const row of ofProduct) {
      y += ROW;
      bar(canvas, y, row, scale, unit);
    }
  }
  y += 14;
  for (let value = 0; value <= end; value += step) {
    const x = BAR_LEFT + scale(value);
    lines.push(
      `<line class="${value === 0 ? "base" : "grid"}" x1="${round(x)}" x2="${
        round(x)
      }" y1="${gridFrom}" y2="${y}"/>`,
    );
    canvas.text(x, y + 17, value.toLocaleString("en-US"), "note", "middle");
  }
  return y + 30;
}

function bar(
  canvas: Canvas,
  y: number,
  row: KeyFrequency,
  scale: (value: number) => number,
  unit: string,
): void {
  const { inUse, paused } = row;
  canvas.text(MARGIN + 14, y, shortened(row.key, 32), "key");
  if (inUse === null || paused === null) {
    canvas.text(BAR_LEFT + 8, y, "not counted yet", "note");
    return;
  }
  const [wide, pausedWide] = [scale(inUse), scale(paused)];
  const about = `${row.key}: ${inUse} ${unit}${paused > 0 ? `, ${paused} more paused` : ""} (${row.state})`;
  canvas.rect(BAR_LEFT, y - BAR + 3, wide, BAR, row.state, about);
  canvas.rect(BAR_LEFT + wide, y - BAR + 3, pausedWide, BAR, `${row.state} paused`, about);
  const label = inUse.toLocaleString("en-US") +
    (paused > 0 ? ` + ${paused.toLocaleString("en-US")} paused` : "");
  canvas.text(BAR_LEFT + wide + pausedWide + 8, y, label, inUse + paused > 0 ? "value" : "soft");
  for (const [index, change] of [row.change7Nights, row.change30Nights].entries()) {
    const told = change === null ? "–" : change === 0 ? "±0" : signed(change).replace("-", "−");
    canvas.text(CHANGES[index] ?? WIDTH, y, told, "note value", "end");
  }
}

/** 1, 2 or 5 times a power of ten: about four to six lines. */
export function niceStep(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].find((factor) => most / (factor * power) <= 5) ?? 10;
  return Math.max(1, step * power);
}

class Canvas {
  readonly #parts: (string | string[])[] = [];

  /** A place for lines that are known later and lie beneath what comes now. */
  reserve(): string[] {
    const lines: string[] = [];
    this.#parts.push(lines);
    return lines;
  }

  text(x: number, y: number, text: string, look: string, anchor: "start" | "middle" | "end" = "start"): void {
    const at = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
    this.#parts.push(`<text class="${look}" x="${round(x)}" y="${round(y)}"${at}>${escaped(text)}</text>`);
  }

  rect(x: number, y: number, width: number, height: number, look: string, title?: string): void {
    if (width <= 0) return;
    const told = title === undefined ? "" : `<title>${escaped(title)}</title>`;
    this.#parts.push(
      `<rect class="${look}" x="${round(x)}" y="${round(y)}" width="${
        round(width)
      }" height="${height}">${told}</rect>`,
    );
  }

  finish(height: number): string {
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${
        round(height)
      }" viewBox="0 0 ${WIDTH} ${
        round(height)
      }" role="img" aria-label="What is really in use at Stripe and at the pharmacy, by product">`,
      `<style>${STYLE}\n</style>`,
      `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${round(height - 1)}" rx="8"/>`,
      ...this.#parts.flat(),
      "</svg>",
      "",
    ].join("\n");
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
