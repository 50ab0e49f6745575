import type { Check } from "../proof/check.ts";
import { examine, workOff } from "./aftermath.ts";
import { tellStories } from "./evidence.ts";
import type { ChaosOptions, Phase } from "./options.ts";
import { playStorms } from "./play-storms.ts";
import { playBurst, playOutage, playSustained, playVacuum } from "./pressure.ts";
import { onStage, type Stage } from "./stage.ts";
import type { Recovery } from "./watch.ts";

/** What a phase measured and what it checked. Recoveries are of the phase `chaos` alone. */
export interface PhaseReport {
  phase: Phase;
  figures: Record<string, number | string>;
  recoveries: Recovery[];
  checks: Check[];
}

/** How many customers each phase needs. */
function peopleFor(phase: Phase, { charges, events }: ChaosOptions): number {
  switch (phase) {
    case "burst":
      return Math.ceil(events / 4); // each customer makes more than four webhooks
    case "outage":
      return Math.max(96, Math.ceil(charges / 5));
    default:
      return charges;
  }
}

const SUSTAINED_SECONDS = 30;

export async function runPhase(
  phase: Phase,
  options: ChaosOptions,
  progress: (line: string) => void,
): Promise<PhaseReport> {
  const { seed, minutes } = options;
  const people = peopleFor(phase, options);
  progress(`phase ${phase}: seed ${seed}, ${people} customers`);
  return await onStage({ seed, people, progress }, async (stage) => {
    switch (phase) {
      case "chaos":
        return await playChaos(stage, minutes);
      case "vacuum":
        return { phase, recoveries: [], ...(await playVacuum(stage, Math.ceil(people / 8))) };
      case "sustained":
        return { phase, recoveries: [], ...(await playSustained(stage, SUSTAINED_SECONDS)) };
      case "burst":
        return { phase, recoveries: [], ...(await playBurst(stage, options.events)) };
      case "outage":
        return { phase, recoveries: [], ...(await playOutage(stage)) };
    }
  });
}

async function playChaos(stage: Stage, minutes: number): Promise<PhaseReport> {
  const { stack, crowd, mail, progress } = stage;
  const { recoveries, ...figures } = await playStorms(stage, minutes);
  progress("the storms are over: working off what they left");
  const startedAt = performance.now();
  await workOff(stack, crowd, progress);
  const workedOff = (performance.now() - startedAt) / 1000;
  const checks = await examine(stack, crowd, mail);
  await tellStories(stack, checks, progress);
  return {
    phase: "chaos",
    figures: { charges: crowd.charged(), ...figures, "worked off after (s)": Math.round(workedOff) },
    recoveries,
    checks,
  };
}
