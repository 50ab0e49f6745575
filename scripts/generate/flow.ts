// The picture of the flow, in the README and in docs/how-it-works.md. It stands on a card of its own, in light and in dark.

const WIDTH = 920;
const HEIGHT = 452;

interface Box {
  x: number;
  y: number;
  wide: number;
  high: number;
  title: string;
  lines: readonly string[];
  look?: "box" | "table" | "person" | "outside";
}

const TOP = 62;
const MIDDLE = 206;
const BOTTOM = 344;

const VENDORS: Box = {
  x: 28,
  y: TOP,
  wide: 172,
  high: 92,
  title: "Vendors",
  lines: ["Stripe, health record,", "pharmacy, CRM, logins"],
  look: "outside",
};
const WEBHOOKS: Box = {
  x: 300,
  y: TOP,
  wide: 200,
  high: 92,
  title: "webhooks",
  lines: ["checks the signature,", "keeps ids, no body"],
};
const TASKS: Box = {
  x: 620,
  y: TOP,
  wide: 272,
  high: 92,
  title: "clockwork.tasks",
  lines: ["the queue that people see", "PENDING · QUEUED · DONE · PARKED"],
  look: "table",
};
const EFFECTS: Box = {
  x: 28,
  y: MIDDLE,
  wide: 172,
  high: 92,
  title: "clockwork.effects",
  lines: ["the ledger: each call", "with an effect, once"],
  look: "table",
};
const DRAIN: Box = {
  x: 300,
  y: MIDDLE,
  wide: 592,
  high: 92,
  title: "drain",
  lines: [
    "claim → pg-boss job → run the step: read the owners anew, act → settle in one transaction",
    "retryable: pg-boss tries again, with backoff · waiting: PENDING until run_after",
  ],
};
const CRON: Box = {
  x: 28,
  y: BOTTOM,
  wide: 172,
  high: 80,
  title: "pg_cron",
  lines: ["a tick every 10 s,", "nightly work as tasks"],
};
const PERSON: Box = {
  x: 300,
  y: BOTTOM,
  wide: 200,
  high: 80,
  title: "Ops, in the table editor",
  lines: ["edit one cell,", "set status to PENDING"],
  look: "person",
};
const MANUAL: Box = {
  x: 620,
  y: BOTTOM,
  wide: 272,
  high: 80,
  title: "MANUAL_INTERVENTION",
  lines: ["the reason in plain words,", "the usual repair, the result of a resend"],
  look: "table",
};

const BOXES = [VENDORS, WEBHOOKS, TASKS, EFFECTS, DRAIN, CRON, PERSON, MANUAL];

/** An arrow along corners, with its label beside the first of them. */
interface Arrow {
  path: readonly (readonly [x: number, y: number])[];
  label?: readonly [x: number, y: number, text: string, anchor?: "start" | "middle" | "end"];
}

const ARROWS: readonly Arrow[] = [
  { path: [[200, 108], [300, 108]], label: [250, 98, "webhook", "middle"] },
  { path: [[500, 108], [620, 108]], label: [560, 98, "one insert", "middle"] },
  { path: [[790, 154], [790, MIDDLE]], label: [800, 184, "claim"] },
  { path: [[660, MIDDLE], [660, 154]], label: [650, 184, "settle, follow-ups", "end"] },
  { path: [[300, 252], [200, 252]], label: [250, 242, "once", "middle"] },
  { path: [[114, MIDDLE], [114, 154]], label: [124, 184, "call"] },
  { path: [[200, 384], [250, 384], [250, 280], [300, 280]], label: [258, 336, "tick"] },
  { path: [[756, 298], [756, BOTTOM]], label: [746, 325, "permanent, or tries used up", "end"] },
  { path: [[620, 384], [500, 384]], label: [560, 374, "reads", "middle"] },
  { path: [[400, BOTTOM], [400, 298]], label: [410, 325, "PENDING: it runs again"] },
];

const STYLE = `
  .card { fill: #ffffff; stroke: #d0d7de }
  text { font-family: -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328 }
  .head { font-size: 16px; font-weight: 600 }
  .title { font-weight: 600 }
  .line { font-size: 12px; fill: #59636e }
  .label { font-size: 12px; fill: #0550ae }
  rect.box { fill: #f6f8fa; stroke: #818b98 }
  rect.table { fill: #ddf4ff; stroke: #54aeff }
  rect.person { fill: #fff8c5; stroke: #d4a72c }
  rect.outside { fill: #ffffff; stroke: #818b98; stroke-dasharray: 5 4 }
  .arrow { fill: none; stroke: #0969da; stroke-width: 1.6 }
  marker path { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .line { fill: #9198a1 } .label { fill: #79c0ff }
    rect.box { fill: #151b23; stroke: #656c76 }
    rect.table { fill: #0c2d4d; stroke: #316dca }
    rect.person { fill: #3b2e04; stroke: #bf8700 }
    rect.outside { fill: #0d1117; stroke: #656c76 }
    .arrow { stroke: #4493f8 } marker path { fill: #4493f8 }
  }`;

/** The flow of a webhook to its end, as SVG. */
export function flowPicture(): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    `role="img" aria-label="The flow: a webhook becomes a row, a drain runs its step, a failure becomes a row that a person repairs">`,
    `<style>${STYLE}\n</style>`,
    `<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">` +
    `<path d="M0 0L10 5L0 10z"/></marker></defs>`,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="8"/>`,
    text(
      28,
      36,
      "head",
      "A webhook becomes a row, a step acts on it, a failure becomes a row that a person repairs",
    ),
    ...BOXES.map(drawBox),
    ...ARROWS.map(drawArrow),
    "</svg>",
    "",
  ].join("\n");
}

function drawBox({ x, y, wide, high, title, lines, look = "box" }: Box): string {
  const middle = x + wide / 2;
  const first = y + high / 2 - lines.length * 9 + 4;
  return [
    `<rect class="${look}" x="${x}" y="${y}" width="${wide}" height="${high}" rx="7"/>`,
    text(middle, first, "title", title, "middle"),
    ...lines.map((line, index) => text(middle, first + (index + 1) * 19, "line", line, "middle")),
  ].join("\n");
}

function drawArrow({ path, label }: Arrow): string {
  const line = path.map(([x, y], index) => `${index === 0 ? "M" : "L"}${x} ${y}`).join("");
  return `<path class="arrow" d="${line}" marker-end="url(#tip)"/>` +
    (label ? text(label[0], label[1], "label", label[2], label[3]) : "");
}

function text(x: number, y: number, look: string, words: string, anchor = "start"): string {
  return `<text class="${look}" x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
}
