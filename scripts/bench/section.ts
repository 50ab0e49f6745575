import type { Database } from "../../src/shared/db/database.ts";
import { aligned } from "../table.ts";

export interface BenchContext {
  db: Database;
  /** The number of customers in the sections about customers. */
  customers: number;
  progress: (line: string) => void;
}

/** One part of `npm run bench`, to be run alone with `--only`. */
export interface Section {
  name: string;
  /** Gives the section's figures as text. */
  run(context: BenchContext): Promise<string>;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Columns of text, the first to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  return aligned(rows, (column) => column > 0, "   ").join("\n");
}
