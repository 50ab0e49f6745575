/** A table in Markdown. A cell may hold Markdown, but neither a line's end nor an open pipe. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("\n", " ").replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const END = "<!-- end -->";

/**
 * `text` with each table between its markers, `<!-- table: <name> -->` and `<!-- end -->`.
 * Throws for a table without markers, and for markers without a table.
 */
export function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  const filledIn = new Set<string>();
  const filled = text.replaceAll(/(<!-- table: ([a-z ]+) -->\n)[^]*?(?=<!-- end -->)/g, (_, begin, name) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`there is no table of ${name}`);
    filledIn.add(name);
    return `${begin}\n${table}\n\n`;
  });
  if (filled.split(END).length !== text.split("<!-- table: ").length) {
    throw new Error(`each table must end with ${END}`);
  }
  const lost = Object.keys(tables).filter((name) => !filledIn.has(name));
  if (lost.length > 0) throw new Error(`no markers for the table of ${lost.join(", ")}`);
  return filled;
}
