import { type Mail, makeMail } from "../sandbox/mail.ts";
import { seeded } from "../sandbox/random.ts";
import { type Stack, withStack } from "../stack/stack.ts";
import { type Crowd, gatherCrowd } from "./crowd.ts";

/** The sandboxes that the storms hit. */
export const VENDORS = ["stripe", "health", "pharmacy", "crm"] as const;
export type Vendor = (typeof VENDORS)[number];

/** The stage of every phase: a stack of its own, and a crowd that has not bought yet. */
export interface Stage {
  stack: Stack;
  crowd: Crowd;
  mail: Mail;
  random: () => number;
  progress: (line: string) => void;
}

/** Plays on a new stack, which is stopped in any case. */
export async function onStage<T>(
  { seed, people, progress }: { seed: number; people: number; progress: (line: string) => void },
  play: (stage: Stage) => Promise<T>,
): Promise<T> {
  const mail = makeMail();
  return await withStack({ seed, fetch: mail.fetch, log: progress }, async (stack) => {
    // The sandboxes have no limits unless a phase gives them some.
    await stack.pool.query("update clockwork.vendors set rate_per_second = 100000");
    const random = seeded(seed);
    return await play({ stack, crowd: await gatherCrowd(stack, people, random), mail, random, progress });
  });
}
