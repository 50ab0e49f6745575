import { readdirSync, readFileSync } from "node:fs";
import { STRIPE_EVENTS } from "../../src/shared/steps/table.ts";
import { markdownTable } from "./markdown.ts";

const FOLDER = new URL("../../src/shared/steps/events/", import.meta.url);

/** The events of Stripe that have a step, with its docstring's first sentence, as a table in Markdown. */
export function stripeEventsTable(): string {
  const sources = readdirSync(FOLDER).map((name) => readFileSync(new URL(name, FOLDER), "utf8"));
  const bySentence = Map.groupBy(STRIPE_EVENTS, (event) => aboutStep(sources, `stripe.${event}`));
  return markdownTable(
    ["events", "step"],
    [...bySentence].map(([sentence, events]) => [events.map((event) => `\`${event}\``).join(", "), sentence]),
  );
}

/** The first sentence of the docstring of the step that handles `name`. Throws when it has none. */
export function aboutStep(sources: readonly string[], name: string): string {
  for (const source of sources) {
    // The last docstring before the name: between the two stands the step's own definition, and no other.
    const [before, after] = source.split(`"${name}"`);
    if (after === undefined || before === undefined) continue;
    const docstring = before.slice(before.lastIndexOf("/**") + 3, before.lastIndexOf("*/"));
    const text = docstring.replaceAll(/\s*\n\s*\* ?/g, " ").trim();
    const [sentence] = /^.*?\.(?= |$)/.exec(text) ?? [];
    if (sentence) return sentence;
  }
  throw new Error(`the step of ${name} has no docstring`);
}
