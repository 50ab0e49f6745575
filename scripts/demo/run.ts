import { gather } from "../proof/evidence.ts";
import { makeMail } from "../sandbox/mail.ts";
import { makeOpsPerson } from "../sandbox/ops-person.ts";
import { seeded } from "../sandbox/random.ts";
import { makeLife } from "../stack/life.ts";
import { withStack } from "../stack/stack.ts";
import { runChecks } from "./checks.ts";
import type { DemoOptions } from "./options.ts";
import { type DemoReport, makeReport } from "./report.ts";
import type { Stage } from "./stage.ts";
import { playStory } from "./story.ts";

/** The demo's first morning. Always the same, so that the same seed meets the same calendar. */
const BEGINS = "2027-03-01T14:00:00Z";

/** Plays the story on a stack of its own, and checks the result. */
export async function runDemo(
  { seed, customers }: DemoOptions,
  progress: (line: string) => void,
): Promise<DemoReport> {
  const startedAt = performance.now();
  const mail = makeMail();
  const startAhead = Date.parse(BEGINS) - Date.now();
  return await withStack({ seed, startAhead, fetch: mail.fetch, log: progress }, async (stack) => {
    // The sandboxes have no limits to respect, and the demo has no hour to spend.
    await stack.pool.query("update clockwork.vendors set rate_per_second = 100000");
    const stage: Stage = {
      stack,
      life: makeLife({ stack, progress }),
      mail,
      ops: makeOpsPerson(stack.pool),
      random: seeded(seed),
      customers,
      progress,
    };
    const upAt = performance.now();
    const story = await playStory(stage);
    const playedAt = performance.now();
    progress("The story is over: checking");
    const evidence = await gather(stack, {
      mail,
      beginners: story.beginners,
      endedByPharmacy: story.endedByPharmacy,
      decisions: story.decisions,
      people: [...story.customers, ...story.beginners].map(({ person }) => person),
      holdSeen: story.troubles.holdSeen(),
    });
    const checks = runChecks(evidence);
    const seconds = {
      start: (upAt - startedAt) / 1000,
      story: (playedAt - upAt) / 1000,
      checks: (performance.now() - playedAt) / 1000,
    };
    return await makeReport(stage, story, { seed, evidence, checks, seconds });
  });
}
