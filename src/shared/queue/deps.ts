import type { Pace } from "./pace.ts";
import type { Database } from "../db/database.ts";

/** Writes one structured line: an event name and ids, counts, codes. Never a payload. */
export type Log = (event: string, fields: Record<string, string | number | boolean | null>) => void;

/** What everything in the queue is handed. Nothing here reads the environment by itself. */
export interface Deps {
  db: Database;
  /** Now, as `clockwork.now()` tells it too. */
  clock: () => Date;
  log: Log;
  /** Keeps the vendors' rates; what it is told comes from `clockwork.vendors`. */
  pace?: Pace;
  /** Called at named places between statements. Tests kill or hold the drain there. */
  faultPoint?: (name: string) => Promise<void>;
}
