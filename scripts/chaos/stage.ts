import { type Mail, makeMail } from "../sandbox/mail.ts";
import { freePort } from "../stack/postgres.ts";
import { seeded } from "../sandbox/random.ts";
import { type Stack, startStack } from "../stack/stack.ts";
import { type Crowd, gatherCrowd } from "./crowd.ts";

/** What every phase plays on: a stack of its own, and a crowd that has not bought yet. */
export interface Stage {
  stack: Stack;
  crowd: Crowd;
  mail: Mail;
  random: () => number;
  progress: (line: string) => void;
}

/** Plays on a new stack and stops it, whatever happens. */
export async function onStage<T>(
  { seed, people, progress }: { seed: number; people: number; progress: (line: string) => void },
  play: (stage: Stage) => Promise<T>,
): Promise<T> {
  const mail = makeMail();
  const stack = await startStack({
    dbPort: await freePort(),
    port: await freePort(),
    seed,
    fetch: mail.fetch,
    stripeEventKinds: ["snapshot", "thin"],
    log: progress,
  });
  try {
    // The sandboxes have no limits unless a phase gives them some.
    await stack.pool.query("update clockwork.vendors set rate_per_second = 100000");
    const random = seeded(seed);
    return await play({ stack, crowd: await gatherCrowd(stack, people, random), mail, random, progress });
  } finally {
    await stack.stop();
  }
}
