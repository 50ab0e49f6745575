/** A table in Markdown. A cell may hold Markdown, but neither a line's end nor an open pipe. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("\n", " ").replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const END = "<!-- end -->";

/**
 * `text` with each table between its markers, `<!-- table: <name> -->` and `<!-- end -->`.
 * Throws when a table has no place, or a place has no table.
 */
export function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  const placed = new Set<string>();
  const filled = text.replaceAll(/(<!-- table: ([a-z ]+) -->\n)[^]*?(?=<!-- end -->)/g, (_, begin, name) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`there is no table of ${name}`);
    placed.add(name);
    return `${begin}\n${table}\n\n`;
  });
  if (filled.split(END).length !== text.split("<!-- table: ").length) {
    throw new Error(`each table's place must end with ${END}`);
  }
  const lost = Object.keys(tables).filter((name) => !placed.has(name));
  if (lost.length > 0) throw new Error(`no place for the table of ${lost.join(", ")}`);
  return filled;
}
