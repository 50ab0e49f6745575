import { picture, rect, type Style, text } from "../picture.ts";

// The picture of the flow, in the README and in docs/how-it-works.md.

const LEFT = { x: 28, wide: 172 };
const MIDDLE = { x: 300, wide: 200 };
const RIGHT = { x: 620, wide: 272 };
const MIDDLE_AND_RIGHT = { x: 300, wide: 592 };

const TOP = { y: 62, high: 92 };
const CENTRE = { y: 206, high: 92 };
const BOTTOM = { y: 344, high: 80 };

type Box = readonly [
  column: { x: number; wide: number },
  row: { y: number; high: number },
  kind: "box" | "table" | "person" | "outside",
  title: string,
  ...lines: string[],
];

const BOXES: readonly Box[] = [
  [LEFT, TOP, "outside", "Vendors", "Stripe, health record,", "pharmacy, CRM, logins"],
  [MIDDLE, TOP, "box", "webhooks", "checks the signature,", "keeps ids, no body"],
  [RIGHT, TOP, "table", "clockwork.tasks", "the queue that people see", "PENDING · QUEUED · DONE · PARKED"],
  [LEFT, CENTRE, "table", "clockwork.effects", "the ledger: each call", "with an effect, once"],
  [
    MIDDLE_AND_RIGHT,
    CENTRE,
    "box",
    "drain",
    "claim → pg-boss job → run the step: read the owners anew, act → settle in one transaction",
    "retryable: pg-boss tries again, with backoff · waiting: PENDING until run_after",
  ],
  [LEFT, BOTTOM, "box", "pg_cron", "a tick every 10 s,", "nightly work as tasks"],
  [MIDDLE, BOTTOM, "person", "Ops, in the table editor", "edit one cell:", "the answer"],
  [
    RIGHT,
    BOTTOM,
    "table",
    "MANUAL_INTERVENTION",
    "the reason in plain words,",
    "the usual repair, the result of a resend",
  ],
];

/** An arrow along corners, with its label beside it. */
interface Arrow {
  path: readonly (readonly [x: number, y: number])[];
  label: readonly [x: number, y: number, words: string, anchor?: "start" | "middle" | "end"];
}

const ARROWS: readonly Arrow[] = [
  { path: [[200, 108], [300, 108]], label: [250, 98, "webhook", "middle"] },
  { path: [[500, 108], [620, 108]], label: [560, 98, "one insert", "middle"] },
  { path: [[790, 154], [790, 206]], label: [800, 184, "claim"] },
  { path: [[660, 206], [660, 154]], label: [650, 184, "settle, follow-ups", "end"] },
  { path: [[300, 252], [200, 252]], label: [250, 242, "once", "middle"] },
  { path: [[114, 206], [114, 154]], label: [124, 184, "call"] },
  { path: [[200, 384], [250, 384], [250, 280], [300, 280]], label: [258, 336, "tick"] },
  { path: [[756, 298], [756, 344]], label: [746, 325, "permanent, or tries used up", "end"] },
  { path: [[620, 384], [500, 384]], label: [560, 374, "reads", "middle"] },
  { path: [[400, 344], [400, 298]], label: [410, 325, "PENDING: it runs again"] },
];

const STYLE: Style = {
  light: `
  .head { font-size: 16px; font-weight: 600 }
  .label { font-size: 12px; fill: #0550ae }
  rect.box { fill: #f6f8fa; stroke: #818b98 }
  rect.table { fill: #ddf4ff; stroke: #54aeff }
  rect.person { fill: #fff8c5; stroke: #d4a72c }
  rect.outside { fill: #ffffff; stroke: #818b98; stroke-dasharray: 5 4 }
  .arrow { fill: none; stroke: #0969da; stroke-width: 1.6 }
  marker path { fill: #0969da }`,
  dark: `
    .label { fill: #79c0ff }
    rect.box { fill: #151b23; stroke: #656c76 }
    rect.table { fill: #0c2d4d; stroke: #316dca }
    rect.person { fill: #3b2e04; stroke: #bf8700 }
    rect.outside { fill: #0d1117; stroke: #656c76 }
    .arrow { stroke: #4493f8 } marker path { fill: #4493f8 }`,
};

const ARROWHEAD =
  `<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">` +
  `<path d="M0 0L10 5L0 10z"/></marker></defs>`;

/** The flow of a webhook to its end, as SVG. */
export function flowPicture(): string {
  return picture(
    920,
    452,
    "The flow: a webhook becomes a row, a drain runs its step, a failure becomes a row that a person repairs",
    STYLE,
    [
      ARROWHEAD,
      text(
        28,
        36,
        "A webhook becomes a row, a step acts on it, a failure becomes a row that a person repairs",
        "head",
      ),
      ...BOXES.flatMap(drawBox),
      ...ARROWS.flatMap(drawArrow),
    ],
  );
}

function drawBox([{ x, wide }, { y, high }, kind, title, ...lines]: Box): string[] {
  const middle = x + wide / 2;
  const first = y + high / 2 - lines.length * 9 + 4;
  return [
    rect(x, y, wide, high, kind, { radius: 7 }),
    text(middle, first, title, "strong", "middle"),
    ...lines.map((line, index) => text(middle, first + (index + 1) * 19, line, "note", "middle")),
  ];
}

function drawArrow({ path, label: [x, y, words, anchor] }: Arrow): string[] {
  const corners = path.map((corner) => corner.join(" ")).join("L");
  return [
    `<path class="arrow" d="M${corners}" marker-end="url(#tip)"/>`,
    text(x, y, words, "label", anchor),
  ];
}
