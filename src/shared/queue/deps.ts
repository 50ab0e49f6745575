import type { Pace } from "./pace.ts";
import type { Database } from "../db/database.ts";

/** Writes one structured line: an event name and ids, counts, codes. Never a payload. */
export type Log = (event: string, fields: Record<string, string | number | boolean | null>) => void;

/** Handed to everything in the queue. Nothing here reads the environment by itself. */
export interface Deps {
  db: Database;
  /** The time of `clockwork.now()`. */
  clock: () => Date;
  log: Log;
  /** Keeps the vendors' rates of `clockwork.vendors`. */
  pace?: Pace;
  /** Called at named places between statements. Tests kill or hold the drain there. */
  faultPoint?: (name: string) => Promise<void>;
}
