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

/** The counts of one drain, which it logs as one line. */
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
  /** The cost of the tasks so far, in ordinary tasks. */
  spent: number;
  /** False once the drain must run no further task. */
  hasTime: () => boolean;
}
