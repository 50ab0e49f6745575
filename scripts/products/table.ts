import { aligned } from "../table.ts";

/** Lines of a table for the terminal: a heading, and columns as wide as their longest cell. Numbers stand to the right. */
export function textTable(columns: readonly string[], rows: readonly (string | number)[][]): string {
  const isNumber = (column: number) =>
    rows.length > 0 && rows.every((row) => /^[+-]?\d*$/.test(String(row[column])));
  const [heading = "", ...body] = aligned([columns, ...rows].map((row) => row.map(String)), isNumber);
  const widths = columns.map((_, i) => Math.max(...[columns, ...rows].map((row) => String(row[i]).length)));
  return [heading, widths.map((width) => "─".repeat(width)).join("  "), ...body].join("\n");
}

/** `1 subscription`, `2 subscriptions`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
