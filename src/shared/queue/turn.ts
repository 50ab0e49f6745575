import type { PgBoss } from "pg-boss";
import type { Deps } from "./deps.ts";
import type { VendorGate } from "./gate.ts";
import type { StepTable, Vendors } from "./step.ts";

export interface DrainDeps extends Deps {
  boss: PgBoss;
  vendors: Vendors;
  steps: StepTable;
  /** Calls `tick` every `milliseconds` until the returned function is called. */
  every: (milliseconds: number, tick: () => void) => () => void;
  budget?: { milliseconds: number; tasks: number };
}

/** What one drain did: the one line it logs. */
export interface DrainReport {
  settled: number;
  retried: number;
  stopped: number;
  lost: number;
  swept: number;
  milliseconds: number;
}

/** One drain at work. */
export interface Turn {
  deps: DrainDeps;
  gate: VendorGate;
  report: DrainReport;
  drainId: string;
  /** What the tasks so far have cost, in ordinary tasks. */
  spent: number;
  /** False once the drain should take up nothing more. */
  hasTime: () => boolean;
}
