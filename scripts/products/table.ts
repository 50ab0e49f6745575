import { aligned } from "../table.ts";

/** Lines of a table for the terminal, under a heading. Columns of numbers stand to the right. */
export function textTable(columns: readonly string[], rows: readonly (string | number)[][]): string {
  const cells = rows.map((row) => row.map(String));
  const isNumber = (column: number) =>
    rows.length > 0 && cells.every((row) => /^[+-]?\d*$/.test(row[column] ?? ""));
  const rule = columns.map((name, column) =>
    "─".repeat(Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)))
  );
  return aligned([columns, rule, ...cells], isNumber).join("\n");
}

/** `1 subscription`, `2 subscriptions`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
