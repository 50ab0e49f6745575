import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

// Pictures as SVG, each on a card of its own, readable in light and in dark.

const LIGHT = `
  .card { fill: #ffffff; stroke: #d0d7de }
  text { font-family: -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328 }
  .title { font-size: 18px }
  .title, .strong { font-weight: 600 }
  .soft, .note { fill: #59636e }
  .note { font-size: 12px }
  .base { stroke: #818b98 }`;
const DARK = `
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .soft, .note { fill: #9198a1 }
    .base { stroke: #656c76 }`;

/** A picture's additions to the shared style, as CSS: in light, and the differences in dark. */
export interface Style {
  light: string;
  dark: string;
}

/**
 * A whole picture.
 * @param label its content in words, for people who do not see it
 * @param parts elements from bottom to top; '' draws nothing
 */
export function picture(
  width: number,
  height: number,
  label: string,
  { light, dark }: Style,
  parts: readonly string[],
): string {
  const [wide, high] = [round(width), round(height)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}" ` +
    `role="img" aria-label="${escaped(label)}">`,
    `<style>${LIGHT}${light}\n  @media (prefers-color-scheme: dark) {${DARK}${dark}\n  }\n</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${round(width - 1)}" height="${round(height - 1)}" rx="8"/>`,
    ...parts.filter((part) => part !== ""),
    "</svg>",
    "",
  ].join("\n");
}

/** @param classes of the style */
export function text(
  x: number,
  y: number,
  words: string,
  classes: string,
  anchor: "start" | "middle" | "end" = "start",
): string {
  const at = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text class="${classes}" x="${round(x)}" y="${round(y)}"${at}>${escaped(words)}</text>`;
}

/** A rectangle; '' where it has no width. `title` is shown under the pointer. */
export function rect(
  x: number,
  y: number,
  width: number,
  height: number,
  classes: string,
  { radius, title }: { radius?: number; title?: string } = {},
): string {
  if (width <= 0) return "";
  const corners = radius === undefined ? "" : ` rx="${radius}"`;
  const tooltip = title === undefined ? "" : `<title>${escaped(title)}</title>`;
  return `<rect class="${classes}" x="${round(x)}" y="${round(y)}" width="${
    round(width)
  }" height="${height}"${corners}>` +
    `${tooltip}</rect>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line class="${classes}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

/** A tenth of a pixel is enough. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Text as it may stand in SVG: names and keys are other people's. Characters that XML cannot hold are left out. */
function escaped(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\p{Cn}]/gu, "")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Writes a picture, and makes its folder where there is none. */
export function writePicture(file: string, svg: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, svg);
}
