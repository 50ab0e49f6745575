import { type Treatment, TREATMENTS } from "../../src/shared/orders/cases.ts";
import { markdownTable } from "./markdown.ts";

const NOT_SENT: Record<Treatment["notSent"], string> = {
  ships: "ships on its day",
  waits: "waits, and goes on by itself",
  held: "**question**; held until it is answered or over",
  "called off": "called off",
};
const SENT: Record<Treatment["sent"], string> = {
  stays: "stays",
  asked: "the same question; goes on meanwhile",
  cancelled: "cancelled at the pharmacy",
};
const LEFT: Record<Treatment["left"], string> = {
  nothing: "nothing",
  asked: "the same question, until it is delivered",
  "too late": "**question**, because it is too late to cancel, until it is delivered",
};

/** Each case of a paid fill with its treatment, as a table in Markdown. */
export function casesTable(): string {
  return markdownTable(
    ["when", "not sent", "sent, not left", "left"],
    Object.values(TREATMENTS).map((one: Treatment) => [
      one.when,
      NOT_SENT[one.notSent],
      SENT[one.sent],
      LEFT[one.left],
    ]),
  );
}
