import { freePort } from "../stack/postgres.ts";
import { seeded } from "../sandbox/random.ts";
import { startStack } from "../stack/stack.ts";
import { runChecks } from "./checks.ts";
import { type Evidence, gather } from "../proof/evidence.ts";
import { makeLife } from "../stack/life.ts";
import { makeMail } from "../sandbox/mail.ts";
import { makeOpsPerson } from "../sandbox/ops-person.ts";
import { type DemoReport, makeReport } from "./report.ts";
import { playStory } from "./story.ts";

/** The demo's first morning. Always the same, so that the same seed meets the same calendar. */
const BEGINS = "2027-03-01T14:00:00Z";

export interface DemoRun {
  seed: number;
  customers: number;
  progress: (line: string) => void;
  /** Called when the story is over, before the checks. */
  afterwards?: (evidence: Evidence) => Promise<void> | void;
}

/** Plays the story on a stack of its own, and checks what came of it. */
export async function runDemo({ seed, customers, progress, afterwards }: DemoRun): Promise<DemoReport> {
  const startedAt = performance.now();
  const mail = makeMail();
  const stack = await startStack({
    dbPort: await freePort(),
    port: await freePort(),
    seed,
    startAhead: Date.parse(BEGINS) - Date.now(),
    stripeEventKinds: ["snapshot", "thin"],
    fetch: mail.fetch,
    log: progress,
  });
  try {
    // The sandboxes have no limits to respect, and the demo has no hour to spend.
    await stack.pool.query("update clockwork.vendors set rate_per_second = 100000");
    const life = makeLife({ stack, progress });
    const ops = makeOpsPerson(stack.pool);
    const upAt = performance.now();
    const story = await playStory({ stack, life, mail, ops, random: seeded(seed), customers, progress });
    const playedAt = performance.now();
    progress("The story is over: checking");
    const evidence = await gather(stack, {
      mail,
      beginners: story.beginners,
      endedByPharmacy: story.endedByPharmacy,
      decisions: story.decisions,
      people: [...story.customers, ...story.beginners].map(({ person }) => person),
      pauseSeen: story.troubles.pauseSeen(),
    });
    await afterwards?.(evidence);
    const checks = runChecks(evidence);
    const seconds = {
      start: (upAt - startedAt) / 1000,
      story: (playedAt - upAt) / 1000,
      checks: (performance.now() - playedAt) / 1000,
    };
    return await makeReport({
      seed,
      stack,
      mail,
      story,
      ops,
      ticks: life.ticks(),
      evidence,
      checks,
      seconds,
    });
  } finally {
    await stack.stop();
  }
}
