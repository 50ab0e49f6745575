import type { Database } from "../../src/shared/db/database.ts";
import { textTable } from "./table.ts";

const STATES = ["registered", "unregistered", "retired"] as const;

/** A row of `ops.product_frequency`. */
export interface KeyFrequency {
  product: string | null;
  system: string;
  key: string;
  state: (typeof STATES)[number];
  /** Null: not counted yet. */
  inUse: number | null;
  paused: number | null;
  change7Nights: number | null;
  change30Nights: number | null;
  whatToDo: string;
  countedAt: Date | null;
}

export async function readFrequency(db: Database): Promise<KeyFrequency[]> {
  const rows = await db.selectFrom("ops.product_frequency").selectAll().execute();
  return rows.map((row) => ({
    product: row.product,
    system: row.system ?? "",
    key: row.key ?? "",
    state: STATES.find((state) => state === row.state) ?? "unregistered",
    inUse: row.in_use,
    paused: row.paused,
    change7Nights: row.change_7_nights,
    change30Nights: row.change_30_nights,
    whatToDo: row.what_to_do ?? "",
    countedAt: row.counted_at,
  }));
}

/** More or fewer, with its sign; nothing where it is not known. */
export function signed(change: number | null): string {
  return change === null ? "" : change > 0 ? `+${change}` : String(change);
}

export function frequencyTable(rows: readonly KeyFrequency[]): string {
  return textTable(
    ["product", "key", "state", "in use", "paused", "7 nights", "30 nights", "what to do"],
    rows.map((row) => [
      row.product ?? "—",
      row.key,
      row.state,
      row.inUse ?? "",
      row.paused ?? "",
      signed(row.change7Nights),
      signed(row.change30Nights),
      row.whatToDo,
    ]),
  );
}
