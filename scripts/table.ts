/** Rows of text as lines, each column as wide as its longest cell; those in `right` stand to the right. */
export function aligned(
  rows: readonly (readonly string[])[],
  right: (column: number) => boolean,
  gap = "  ",
): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row.map((cell, i) => right(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))
      .join(gap).trimEnd()
  );
}

/** Lines two characters further to the right, as they stand below a heading. */
export function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
