import { markdownTable } from "./markdown.ts";

/**
 * The decisions' index by room, as a table in Markdown.
 * Throws for a decision that names no room, or breaks the order of numbers.
 * @param text docs/decisions.md: `## <number>. <title>`, then `Room: <room>.`
 */
export function decisionsTable(text: string): string {
  const [, ...entries] = text.split(/^## /m);
  const decisions = entries.map((entry, index) => {
    const [, number, title, room] = /^(\d+)\. (.+)\n\nRoom: ([a-z]+)\.\n/.exec(entry) ?? [];
    if (title === undefined || room === undefined || number !== String(index + 1)) {
      throw new Error(`decision ${index + 1} must begin with "## ${index + 1}. <title>" and "Room: <room>."`);
    }
    return { link: `[${number}](#${anchorOf(`${number}. ${title}`)})`, room };
  });
  const byRoom = [...Map.groupBy(decisions, ({ room }) => room)];
  return markdownTable(
    ["room", "decisions"],
    byRoom.toSorted(([one], [other]) => one.localeCompare(other))
      .map(([room, ofRoom]) => [room, ofRoom.map(({ link }) => link).join(", ")]),
  );
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
}
