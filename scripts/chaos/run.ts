import type { Check } from "../proof/check.ts";
import { examine, workOff } from "./aftermath.ts";
import { tellStories } from "./evidence.ts";
import type { ChaosOptions, Phase } from "./options.ts";
import { playStorms } from "./play-storms.ts";
import { playBurst, playOutage, playSustained, playVacuum } from "./pressure.ts";
import { onStage, type Stage } from "./stage.ts";
import type { Recovery } from "./watch.ts";

/** The measures and checks of a phase. Recoveries are of the phase `chaos` alone. */
export interface PhaseReport {
  phase: Phase;
  figures: Record<string, number | string>;
  recoveries: Recovery[];
  checks: Check[];
}

/** The number of customers that each phase needs. */
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
  const { seed, minutes, events } = options;
  const people = peopleFor(phase, options);
  progress(`phase ${phase}: seed ${seed}, ${people} customers`);
  const plays = {
    chaos: (stage: Stage) => playChaos(stage, minutes),
    vacuum: (stage: Stage) => playVacuum(stage, Math.ceil(people / 8)),
    sustained: (stage: Stage) => playSustained(stage, SUSTAINED_SECONDS),
    burst: (stage: Stage) => playBurst(stage, events),
    outage: playOutage,
  };
  return { phase, recoveries: [], ...(await onStage({ seed, people, progress }, plays[phase])) };
}

async function playChaos(stage: Stage, minutes: number): Promise<Omit<PhaseReport, "phase">> {
  const { stack, crowd, mail, progress } = stage;
  const { recoveries, ...figures } = await playStorms(stage, minutes);
  progress("the storms are over: working off the rest");
  const startedAt = performance.now();
  await workOff(stack, crowd, progress);
  const workedOff = (performance.now() - startedAt) / 1000;
  const checks = await examine(stack, crowd, mail);
  await tellStories(stack, checks, progress);
  return {
    figures: { charges: crowd.charged(), ...figures, "worked off after (s)": Math.round(workedOff) },
    recoveries,
    checks,
  };
}
