import { line, picture, rect, round, type Style, text } from "../picture.ts";
import { type Funnel, type OpenOnDay, stagesOf } from "./funnel.ts";

const WIDE = 860;
const MARGIN = 24;
const LEFT = 260;
const RIGHT = 70;
const TOP = 74;
const ROW = 27;
const AREA_HIGH = 110;
/** Where the days end: the scale's numbers stand to the right. */
const AREA_RIGHT = WIDE - MARGIN - 40;

const STYLE: Style = {
  light: `
  .scheduled { fill: #94a3b8 } .contacted { fill: #3b82f6 } .renewed { fill: #16a34a }
  .lapsed { fill: #dc2626 } .ended { fill: #a16207 }
  polygon { fill-opacity: .85 }`,
  dark: `
    .scheduled { fill: #7d8590 } .contacted { fill: #4493f8 } .renewed { fill: #3fb950 }
    .lapsed { fill: #f85149 } .ended { fill: #d29922 }`,
};

/** The funnel of a run, and below it the renewals that were open on each day. */
export function simulationPicture(
  funnel: Funnel,
  days: readonly OpenOnDay[],
  { title, subtitle }: { title: string; subtitle: string },
): string {
  const stages = stagesOf(funnel);
  const most = Math.max(1, ...stages.map(({ count }) => count));
  const bars = stages.flatMap(({ name, count, shade }, i) => {
    const y = TOP + i * ROW;
    const wide = Math.max(1, (count / most) * (WIDE - LEFT - RIGHT));
    return [
      text(LEFT - 12, y + 14, name, "name", "end"),
      rect(LEFT, y, wide, 19, shade, { radius: 3 }),
      text(LEFT + wide + 8, y + 14, count.toLocaleString("en-US"), "strong"),
    ];
  });
  const top = TOP + stages.length * ROW + 44;
  return picture(WIDE, top + AREA_HIGH + 34, title, STYLE, [
    text(MARGIN, 30, title, "title"),
    text(MARGIN, 51, subtitle, "soft"),
    ...bars,
    text(MARGIN, top - 14, "open renewals, day by day", "strong"),
    ...LAYERS.flatMap(([state, name], i) => [
      rect(230 + i * 110, top - 25, 12, 12, state, { radius: 2 }),
      text(248 + i * 110, top - 14, name, "name"),
    ]),
    ...areas(days, top),
  ]);
}

const LAYERS = [
  ["lapsed", "lapsed"],
  ["contacted", "asked"],
  ["scheduled", "scheduled"],
] as const;

/** The three states on top of each other. */
function areas(days: readonly OpenOnDay[], top: number): string[] {
  const bottom = top + AREA_HIGH;
  const most = Math.max(1, ...days.map(({ scheduled, contacted, lapsed }) => scheduled + contacted + lapsed));
  const point = (value: number, i: number) => {
    const x = MARGIN + (i / Math.max(1, days.length - 1)) * (AREA_RIGHT - MARGIN);
    return `${round(x)},${round(bottom - (value / most) * AREA_HIGH)}`;
  };
  let floor = days.map(() => 0);
  const layers = LAYERS.map(([state]) => {
    const roof = days.map((day, i) => (floor[i] ?? 0) + day[state]);
    const outline = [...roof.map(point), ...floor.map(point).reverse()];
    floor = roof;
    return `<polygon class="${state}" points="${outline.join(" ")}"/>`;
  });
  return [
    ...layers,
    line(MARGIN, bottom, AREA_RIGHT, bottom, "base"),
    text(AREA_RIGHT + 6, top + 10, String(most), "soft"),
    text(AREA_RIGHT + 6, bottom, "0", "soft"),
    text(MARGIN, bottom + 18, "first day", "soft"),
    text(AREA_RIGHT, bottom + 18, `day ${days.length}`, "soft", "end"),
  ];
}
