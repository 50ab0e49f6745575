import { escaped } from "../picture.ts";
import { type Funnel, type OpenOnDay, stagesOf } from "./funnel.ts";

/** What the picture says of the run. */
export interface Caption {
  title: string;
  subtitle: string;
}

const WIDE = 860;
const LEFT = 260;
const RIGHT = 70;
const TOP = 74;
const ROW = 27;
const AREA_HIGH = 110;

const SHADES = {
  scheduled: "#94a3b8",
  contacted: "#3b82f6",
  renewed: "#16a34a",
  lapsed: "#dc2626",
  ended: "#a16207",
} as const;

/** The funnel of a run, and below it the renewals that were open on each day. */
export function picture(funnel: Funnel, days: readonly OpenOnDay[], { title, subtitle }: Caption): string {
  const stages = stagesOf(funnel);
  const most = Math.max(1, ...stages.map(({ count }) => count));
  const room = WIDE - LEFT - RIGHT;
  const bars = stages.map(({ name, count, shade }, i) => {
    const y = TOP + i * ROW;
    const wide = Math.max(1, (count / most) * room);
    return text(LEFT - 12, y + 14, name, 'text-anchor="end"') +
      `<rect x="${LEFT}" y="${y}" width="${wide.toFixed(1)}" height="19" rx="3" fill="${SHADES[shade]}"/>` +
      text(LEFT + wide + 8, y + 14, count.toLocaleString("en-US"), 'font-weight="600"');
  });
  const areaTop = TOP + stages.length * ROW + 44;
  const high = areaTop + AREA_HIGH + 34;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDE} ${high}" width="${WIDE}" height="${high}" ` +
    `font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="${escaped(title)}">` +
    `<rect width="${WIDE}" height="${high}" fill="#ffffff"/>` +
    text(24, 30, title, 'font-size="18" font-weight="600"') +
    text(24, 51, subtitle, 'fill="#475569"') +
    bars.join("") +
    text(24, areaTop - 14, "open renewals, day by day", 'font-weight="600"') +
    legend(areaTop - 14) +
    areas(days, areaTop) +
    `</svg>\n`;
}

const LAYERS = [
  ["lapsed", "lapsed"],
  ["contacted", "asked"],
  ["scheduled", "scheduled"],
] as const;

/** The three states on top of each other. */
function areas(days: readonly OpenOnDay[], top: number): string {
  const most = Math.max(1, ...days.map(({ scheduled, contacted, lapsed }) => scheduled + contacted + lapsed));
  const x = (i: number) => (24 + (i / Math.max(1, days.length - 1)) * (WIDE - 48 - 40)).toFixed(1);
  const y = (value: number) => (top + AREA_HIGH - (value / most) * AREA_HIGH).toFixed(1);
  let floor = days.map(() => 0);
  const drawn = LAYERS.map(([state]) => {
    const roof = days.map((day, i) => (floor[i] ?? 0) + day[state]);
    const outline = [
      ...roof.map((value, i) => `${x(i)},${y(value)}`),
      ...floor.map((value, i) => `${x(i)},${y(value)}`).reverse(),
    ];
    floor = roof;
    return `<polygon points="${outline.join(" ")}" fill="${SHADES[state]}" fill-opacity="0.85"/>`;
  });
  const end = WIDE - 24 - 40;
  return drawn.join("") +
    `<line x1="24" y1="${top + AREA_HIGH}" x2="${end}" y2="${top + AREA_HIGH}" stroke="#334155"/>` +
    text(end + 6, top + 10, String(most), 'fill="#475569"') +
    text(end + 6, top + AREA_HIGH, "0", 'fill="#475569"') +
    text(24, top + AREA_HIGH + 18, "first day", 'fill="#475569"') +
    text(end, top + AREA_HIGH + 18, `day ${days.length}`, 'fill="#475569" text-anchor="end"');
}

function legend(y: number): string {
  return LAYERS.map(([state, name], i) =>
    `<rect x="${230 + i * 110}" y="${y - 11}" width="12" height="12" rx="2" fill="${SHADES[state]}"/>` +
    text(248 + i * 110, y, name)
  ).join("");
}

function text(x: number, y: number, words: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="#0f172a" ${more}>${escaped(words)}</text>`
    .replace(/fill="#0f172a" (.*fill=)/, "$1");
}
