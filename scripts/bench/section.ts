import type { Database } from "../../src/shared/db/database.ts";

export interface BenchContext {
  db: Database;
  /** How many customers the sections about customers have. */
  customers: number;
  progress: (line: string) => void;
}

/** One part of `npm run bench`, to be run alone with `--only`. */
export interface Section {
  name: string;
  /** Gives what is printed at the end. */
  run(context: BenchContext): Promise<string>;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Columns of text, the first to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))
      .join("   ").trimEnd()
  ).join("\n");
}
