import { parseArgs } from "node:util";

/** Chaos itself, then the pressures, each on a stack of its own. */
export const PHASES = ["chaos", "vacuum", "sustained", "burst", "outage"] as const;
export type Phase = (typeof PHASES)[number];

export interface ChaosOptions {
  seed: number;
  charges: number;
  /** The faults end after this long; working off what they left takes a little longer. */
  minutes: number;
  /** Of the phase `burst`. */
  events: number;
  phases: readonly Phase[];
  json: boolean;
}

export const USAGE = "npm run chaos -- [--charges N] [--minutes N] [--seed N] [--events N] [--json] " +
  `[--phase ${PHASES.join("|")}|all]...`;

/** Throws a sentence for the person who typed it. */
export function parseOptions(args: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      charges: { type: "string", default: "2000" },
      minutes: { type: "string", default: "6" },
      events: { type: "string", default: "20000" },
      phase: { type: "string", multiple: true, default: ["chaos"] },
      json: { type: "boolean", default: false },
    },
  });
  return {
    // Another storm each time, unless one is asked for again.
    seed: values.seed === undefined
      ? Math.floor(Math.random() * 1_000_000)
      : wholeNumber("--seed", values.seed, 0),
    charges: wholeNumber("--charges", values.charges, 10),
    minutes: positive("--minutes", values.minutes),
    events: wholeNumber("--events", values.events, 100),
    phases: values.phase.flatMap(phasesOf),
    json: values.json,
  };
}

function phasesOf(name: string): readonly Phase[] {
  if (name === "all") return PHASES;
  const phase = PHASES.find((one) => one === name);
  if (!phase) throw new Error(`--phase must be one of ${PHASES.join(", ")}, all`);
  return [phase];
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least) {
    throw new Error(`${name} must be a whole number from ${least} on`);
  }
  return value;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 600)) throw new Error(`${name} must be a number above 0 and at most 600`);
  return value;
}
