/** Lines of a table for the terminal: a heading, and columns as wide as their longest cell. Numbers stand to the right. */
export function textTable(columns: readonly string[], rows: readonly (string | number)[][]): string {
  const cells = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => (row[index] ?? "").length)));
  const isNumber = columns.map((_, index) =>
    rows.length > 0 && rows.every((row) => /^[+-]?\d*$/.test(String(row[index])))
  );
  const line = (row: readonly string[]) =>
    row.map((cell, index) =>
      isNumber[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)
    )
      .join("  ").trimEnd();
  const [heading = [], ...body] = cells;
  return [line(heading), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)].join("\n");
}

/** `1 subscription`, `2 subscriptions`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
