import { among, decimal, defineCommand, flag, type Option, type OptionsOf, seed, whole } from "../command.ts";

/** Chaos itself, then the pressures, each on a stack of its own. */
const PHASES = ["chaos", "vacuum", "sustained", "burst", "outage"] as const;
export type Phase = (typeof PHASES)[number];

const onePhase = among([...PHASES, "all"], "the phases to play, in this order", "chaos");
const phases: Option<readonly Phase[]> = {
  ...onePhase,
  isRepeated: true,
  read: (given, name) =>
    (given.length === 0 ? ["chaos"] : given).flatMap((typed) => {
      const word = onePhase.read([typed], name);
      return PHASES.filter((one) => word === "all" || one === word);
    }),
};

export const CHAOS = defineCommand(
  "npm run chaos",
  "The whole of Clockwork while everything under it breaks, and under pressure. Reports what was lost, doubled or left unexplained.",
  {
    charges: whole("how many customers buy", { from: 10, usual: 2000 }),
    // The run takes longer: the work that the storms left is done after them.
    minutes: decimal("how long the storms last", { above: 0, to: 600, usual: 6 }),
    seed: seed(),
    events: whole("webhooks at once in the phase burst", { from: 100, usual: 20_000 }),
    json: flag("print nothing but the report, as JSON"),
    phase: phases,
  },
);
export type ChaosOptions = OptionsOf<typeof CHAOS>;
