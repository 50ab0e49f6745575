import { among, type Command, decimal, defineCommand, flag, type Option, seed, whole } from "../command.ts";

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

const onePhase = among([...PHASES, "all"], "what is played, in this order", "chaos");
const phase: Option<readonly Phase[]> = {
  ...onePhase,
  isRepeated: true,
  read: (given, name) =>
    (given.length === 0 ? ["chaos"] : given).flatMap((one) => {
      const word = onePhase.read([one], name);
      return PHASES.filter((known) => word === "all" || known === word);
    }),
};

const command = defineCommand(
  "npm run chaos",
  "The whole of Clockwork while everything under it breaks, and under pressure; then what was lost, doubled or left unexplained.",
  {
    charges: whole("how many customers buy", { from: 10, usual: 2000 }),
    minutes: decimal("how long the storms last", { above: 0, to: 600, usual: 6 }),
    seed: seed(),
    events: whole("webhooks at once in the phase burst", { from: 100, usual: 20_000 }),
    json: flag("print nothing but the report, as JSON"),
    phase,
  },
);

export const CHAOS: Command<ChaosOptions> = {
  ...command,
  parse(args) {
    const { phase, ...options } = command.parse(args);
    return { ...options, phases: phase };
  },
};
